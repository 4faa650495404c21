// Owns the commands of millrace watch, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { applyCommand } from './apply.ts'
import { backfillCommand } from './backfill.ts'
import { listCommand } from './list.ts'
import { pauseCommand, resumeCommand } from './pause.ts'
import { planWatchesCommand } from './plan.ts'
import { removeCommand } from './remove.ts'
import { showCommand } from './show.ts'

export function watchGroup(current: CurrentSession): Command {
  return group('watch', 'see which tables start runs by their changes, and install what they need', [
    planWatchesCommand(current),
    applyCommand(current),
    listCommand(current),
    showCommand(current),
    pauseCommand(current),
    resumeCommand(current),
    backfillCommand(current),
    removeCommand(current),
  ])
}
