// Owns the commands of millrace cache, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { invalidateCommand } from './invalidate.ts'
import { listCommand } from './list.ts'

export function cacheGroup(current: CurrentSession): Command {
  return group('cache', 'list cached values, and remove them', [
    listCommand(current),
    invalidateCommand(current),
  ])
}
