// millrace run cancel: ends a run on request.
import { Command } from 'commander'
import { cancelRun } from '../../db/runs.ts'
import { text } from '../option-values.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'
import { changeRun } from './changes.ts'

export function cancelCommand(current: CurrentSession): Command {
  return new Command('cancel')
    .description('cancel a run: its steps that run are aborted, the others never begin')
    .argument('<run>', 'the id of the run')
    .option('--reason <text>', 'why; it stands in the account', text('--reason'))
    .option('--undo', 'undo first what it completed, by the undo steps of its pipeline')
    .addOption(ifRevisionOption())
    .action(async (run: string, options: { reason?: string; undo?: boolean; ifRevision?: number }) => {
      const { reason, undo = false, ifRevision } = options
      await changeRun(current(), run, {
        change: (caller, id) => cancelRun(caller, id, reason ?? null, undo, ifRevision),
        done: undo ? 'is cancelled, and undone first' : 'is cancelled',
        already: 'had ended already',
      })
    })
}
