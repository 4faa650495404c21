// Owns the commands of millrace approval, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { approveCommand, rejectCommand } from './decide.ts'
import { delegateCommand } from './delegate.ts'
import { listCommand } from './list.ts'

export function approvalGroup(current: CurrentSession): Command {
  return group('approval', 'list what runs ask of people, and decide', [
    listCommand(current),
    approveCommand(current),
    rejectCommand(current),
    delegateCommand(current),
  ])
}
