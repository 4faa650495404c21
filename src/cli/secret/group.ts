// Owns the commands of millrace secret, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { listCommand } from './list.ts'
import { removeCommand } from './remove.ts'
import { rotateCommand } from './rotate.ts'
import { setCommand } from './set.ts'

export function secretGroup(current: CurrentSession): Command {
  return group('secret', 'write, list, rotate and remove secrets; never show one', [
    setCommand(current),
    listCommand(current),
    rotateCommand(current),
    removeCommand(current),
  ])
}
