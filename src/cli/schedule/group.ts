// Owns the commands of millrace schedule, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { adoptCommand } from './adopt.ts'
import { backfillCommand } from './backfill.ts'
import { defineCommand } from './define.ts'
import { firingsCommand } from './firings.ts'
import { listCommand } from './list.ts'
import { nextCommand } from './next.ts'
import { pauseCommand } from './pause.ts'
import { removeCommand } from './remove.ts'
import { resumeCommand } from './resume.ts'
import { showCommand } from './show.ts'
import { triggerCommand } from './trigger.ts'

export function scheduleGroup(current: CurrentSession): Command {
  return group('schedule', 'see what starts runs by the clock, steer it, and take over cron jobs', [
    listCommand(current),
    showCommand(current),
    nextCommand(current),
    firingsCommand(current),
    defineCommand(current),
    pauseCommand(current),
    resumeCommand(current),
    triggerCommand(current),
    backfillCommand(current),
    removeCommand(current),
    adoptCommand(current),
  ])
}
