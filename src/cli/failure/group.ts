// Owns the commands of millrace failure, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { listCommand } from './list.ts'

export function failureGroup(current: CurrentSession): Command {
  return group('failure', 'list what failed, by kind', [listCommand(current)])
}
