// millrace run cancel: ends a run on request.
import { Command } from 'commander'
import { cancelRun } from '../../db/runs.ts'
import type { CurrentSession } from '../session.ts'
import { changeRun } from './changes.ts'

export function cancelCommand(current: CurrentSession): Command {
  return new Command('cancel')
    .description('cancel a run: its steps that run are aborted, the others never begin')
    .argument('<run>', 'the id of the run')
    .option('--reason <text>', 'why; it stands in the account')
    .option('--undo', 'undo first what it completed, by the undo steps of its pipeline')
    .action(async (run: string, { reason, undo = false }: { reason?: string; undo?: boolean }) => {
      await changeRun(current(), run, {
        change: (caller, id) => cancelRun(caller, id, reason ?? null, undo),
        done: undo ? 'is cancelled, and undone first' : 'is cancelled',
        already: 'had ended already',
      })
    })
}
