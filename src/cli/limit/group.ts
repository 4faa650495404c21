// Owns the commands of millrace limit, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { listCommand } from './list.ts'
import { removeCommand } from './remove.ts'
import { setCommand } from './set.ts'
import { showCommand } from './show.ts'

export function limitGroup(current: CurrentSession): Command {
  return group('limit', 'see how limits stand, define and remove them', [
    listCommand(current),
    showCommand(current),
    setCommand(current),
    removeCommand(current),
  ])
}
