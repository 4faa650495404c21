// millrace run pause: holds a run back after the steps that run.
import { Command } from 'commander'
import { pauseRun } from '../../db/runs.ts'
import { text } from '../option-values.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'
import { changeRun } from './changes.ts'

export function pauseCommand(current: CurrentSession): Command {
  return new Command('pause')
    .description('pause a run: steps that run end, nothing after them begins until it is resumed')
    .argument('<run>', 'the id of the run')
    .option('--reason <text>', 'why; it stands in the account', text('--reason'))
    .addOption(ifRevisionOption())
    .action(async (run: string, { reason, ifRevision }: { reason?: string; ifRevision?: number }) => {
      await changeRun(current(), run, {
        change: (caller, id) => pauseRun(caller, id, reason ?? null, ifRevision),
        done: 'is paused',
        already: 'had ended or was paused already',
      })
    })
}
