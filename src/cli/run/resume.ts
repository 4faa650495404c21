// millrace run resume: lets a paused run go on.
import { Command } from 'commander'
import { resumeRun } from '../../db/runs.ts'
import type { CurrentSession } from '../session.ts'
import { changeRun } from './changes.ts'

export function resumeCommand(current: CurrentSession): Command {
  return new Command('resume')
    .description('resume a paused run')
    .argument('<run>', 'the id of the run')
    .action(async (run: string) => {
      await changeRun(current(), run, { change: resumeRun, done: 'goes on', already: 'was not paused' })
    })
}
