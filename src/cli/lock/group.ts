// Owns the commands of millrace lock, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { listCommand } from './list.ts'

export function lockGroup(current: CurrentSession): Command {
  return group('lock', 'see who holds named locks, and who waits', [listCommand(current)])
}
