// millrace run resume: lets a paused run go on.
import { Command } from 'commander'
import { resumeRun } from '../../db/runs.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'
import { changeRun } from './changes.ts'

export function resumeCommand(current: CurrentSession): Command {
  return new Command('resume')
    .description('resume a paused run')
    .argument('<run>', 'the id of the run')
    .addOption(ifRevisionOption())
    .action(async (run: string, { ifRevision }: { ifRevision?: number }) => {
      await changeRun(current(), run, {
        change: (caller, id) => resumeRun(caller, id, ifRevision),
        done: 'goes on',
        already: 'was not paused',
      })
    })
}
