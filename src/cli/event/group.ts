// Owns the commands of millrace event, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { emitCommand } from './emit.ts'
import { listCommand } from './list.ts'

export function eventGroup(current: CurrentSession): Command {
  return group('event', 'emit events, and see what each started', [
    emitCommand(current),
    listCommand(current),
  ])
}
