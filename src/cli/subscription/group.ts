// Owns the commands of millrace subscription, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { pauseCommand, resumeCommand, removeCommand } from './change.ts'
import { defineCommand } from './define.ts'
import { listCommand } from './list.ts'

export function subscriptionGroup(current: CurrentSession): Command {
  return group('subscription', 'have events start runs of pipelines', [
    listCommand(current),
    defineCommand(current),
    pauseCommand(current),
    resumeCommand(current),
    removeCommand(current),
  ])
}
