// Owns the commands of millrace dead-letter, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { listCommand } from './list.ts'
import { redriveCommand } from './redrive.ts'

export function deadLetterGroup(current: CurrentSession): Command {
  return group('dead-letter', 'list failed runs that wait for a decision, and give them fresh attempts', [
    listCommand(current),
    redriveCommand(current),
  ])
}
