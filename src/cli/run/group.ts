// Owns the commands of millrace run, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { accountCommand } from './account.ts'
import { artifactsCommand } from './artifacts.ts'
import { cancelCommand } from './cancel.ts'
import { deleteCommand } from './delete.ts'
import { exportCommand } from './export.ts'
import { followCommand } from './follow.ts'
import { forkCommand } from './fork.ts'
import { importCommand } from './import.ts'
import { listCommand } from './list.ts'
import { migrateRunsCommand } from './migrate.ts'
import { pauseCommand } from './pause.ts'
import { prioritizeCommand } from './prioritize.ts'
import { redriveCommand } from './redrive.ts'
import { rerunCommand } from './rerun.ts'
import { resumeCommand } from './resume.ts'
import { showCommand } from './show.ts'
import { startCommand } from './start.ts'
import { watchCommand } from './watch.ts'
import { whyCommand } from './why.ts'

export function runGroup(current: CurrentSession): Command {
  return group('run', 'start runs, look at them, and steer them', [
    startCommand(current),
    listCommand(current),
    showCommand(current),
    accountCommand(current),
    followCommand(current),
    watchCommand(current),
    whyCommand(current),
    artifactsCommand(current),
    cancelCommand(current),
    pauseCommand(current),
    resumeCommand(current),
    prioritizeCommand(current),
    redriveCommand(current),
    forkCommand(current),
    rerunCommand(current),
    exportCommand(current),
    importCommand(current),
    migrateRunsCommand(current),
    deleteCommand(current),
  ])
}
