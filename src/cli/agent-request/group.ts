// Owns the commands of millrace agent-request, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { approveCommand, rejectCommand } from './decide.ts'
import { listCommand } from './list.ts'
import { showCommand } from './show.ts'

export function agentRequestGroup(current: CurrentSession): Command {
  return group('agent-request', 'list what agents ask people for, and decide', [
    listCommand(current),
    showCommand(current),
    approveCommand(current),
    rejectCommand(current),
  ])
}
