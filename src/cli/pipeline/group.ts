// Owns the commands of millrace pipeline, in the order of its help.
import type { Command } from 'commander'
import { group } from '../group.ts'
import type { CurrentSession } from '../session.ts'
import { activateCommand } from './activate.ts'
import { inventoryCommand } from './inventory.ts'
import { listCommand } from './list.ts'
import { pauseCommand } from './pause.ts'
import { resumeKeyCommand } from './resume-key.ts'
import { resumeCommand } from './resume.ts'
import { showCommand } from './show.ts'
import { splitCommand } from './split.ts'

export function pipelineGroup(current: CurrentSession): Command {
  return group('pipeline', 'list and show pipelines, pause and resume them, choose their versions', [
    listCommand(current),
    showCommand(current),
    inventoryCommand(current),
    pauseCommand(current),
    resumeCommand(current),
    resumeKeyCommand(current),
    activateCommand(current),
    splitCommand(current),
  ])
}
