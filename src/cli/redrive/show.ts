// millrace redrive show: how far a redrive is, and which runs it refused.
import { Command } from 'commander'
import { type RedrivenRun, Redrives } from '../../sdk/redrives.ts'
import { columnNames } from '../column-names.ts'
import { wholeNumber } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import { progressWords } from './words.ts'

export function showCommand(current: CurrentSession): Command {
  return new Command('show')
    .description('show how far a redrive is, and which runs it refused, and why')
    .argument('<redrive>', 'the id of the redrive')
    .option('--limit <n>', 'at most so many runs, up to 1,000', wholeNumber('--limit', 1, 1_000), 20)
    .action(async (id: string, { limit }: { limit: number }) => {
      const session = current()
      const { progress, runs } = await session.withDatabase(async ({ caller }) => {
        const redrives = new Redrives(() => Promise.resolve(caller))
        return { progress: await redrives.show(id), runs: await redrives.runs(id, { limit }) }
      })
      session.terminal.answer(columnNames({ ...progress, runs: runs.map(columnNames) }))
      session.terminal.print(progressWords(progress))
      const refused = runs.filter(({ state }) => state === 'refused')
      if (refused.length === 0) return
      session.terminal.print()
      printTable(session.terminal, columns, refused)
    })
}

const columns: readonly Column<RedrivenRun>[] = [
  { title: 'run', cell: ({ run }) => run, whole: true },
  { title: 'refused', cell: ({ reason }) => reason ?? '', whole: true },
  { title: 'because', cell: ({ detail }) => detail ?? '' },
]
