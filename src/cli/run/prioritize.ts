// millrace run prioritize: gives a live run another priority.
import { Command } from 'commander'
import { prioritizeRun } from '../../db/runs.ts'
import { wholeNumber } from '../option-values.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession } from '../session.ts'
import { changeRun } from './changes.ts'

export function prioritizeCommand(current: CurrentSession): Command {
  return new Command('prioritize')
    .description('give a live run another priority')
    .argument('<run>', 'the id of the run')
    .argument('<priority>', 'from 1, first, to 9, last', wholeNumber('The priority', 1, 9))
    .addOption(ifRevisionOption())
    .action(async (run: string, priority: number, { ifRevision }: { ifRevision?: number }) => {
      await changeRun(current(), run, {
        change: (caller, id) => prioritizeRun(caller, id, priority, ifRevision),
        done: `has priority ${priority}`,
        already: 'had ended or had it already',
      })
    })
}
