// Owns the commands of millrace key, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { createCommand } from './create.ts'
import { listCommand } from './list.ts'
import { revokeCommand } from './revoke.ts'
import { rotateCommand } from './rotate.ts'

export function keyGroup(current: CurrentSession): Command {
  return group('key', 'make, list, rotate and revoke keys for the HTTP API', [
    listCommand(current),
    createCommand(current),
    rotateCommand(current),
    revokeCommand(current),
  ])
}
