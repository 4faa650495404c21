// Owns the commands of millrace redrive, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { abortCommand } from './abort.ts'
import { listCommand } from './list.ts'
import { showCommand } from './show.ts'
import { startCommand } from './start.ts'

export function redriveGroup(current: CurrentSession): Command {
  return group('redrive', 'give many failed runs fresh attempts, and follow that', [
    startCommand(current),
    listCommand(current),
    showCommand(current),
    abortCommand(current),
  ])
}
