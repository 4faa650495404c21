// Owns the commands of millrace start-rule, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { defineCommand } from './define.ts'
import { listCommand } from './list.ts'
import { removeCommand } from './remove.ts'

export function startRuleGroup(current: CurrentSession): Command {
  return group('start-rule', 'list, define and remove rules on starts', [
    listCommand(current),
    defineCommand(current),
    removeCommand(current),
  ])
}
