// millrace redrive list: what people ordered to be redriven, and how far it is.
import { Command } from 'commander'
import { grouped } from '../../core/wording.ts'
import { type RedriveProgress, Redrives } from '../../sdk/redrives.ts'
import { columnNames } from '../column-names.ts'
import { wholeNumber } from '../option-values.ts'
import { age } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list redrives, the newest first')
    .option('--open', 'only those that are under way')
    .option('--limit <n>', 'at most so many, up to 1,000', wholeNumber('--limit', 1, 1_000), 20)
    .action(async ({ open = false, limit }: { open?: boolean; limit: number }) => {
      const session = current()
      const rows = await session.withDatabase(({ caller }) =>
        new Redrives(() => Promise.resolve(caller)).list({ open, limit }),
      )
      session.terminal.answer(rows.map(columnNames))
      if (rows.length === 0) session.terminal.print('There is no such redrive.')
      else printTable(session.terminal, columns(new Date()), rows)
    })
}

function columns(now: Date): Column<RedriveProgress>[] {
  return [
    { title: 'redrive', cell: ({ id }) => id, whole: true },
    { title: 'state', cell: ({ state }) => state, whole: true },
    { title: 'redriven', cell: ({ done, total }) => `${grouped(done)}/${grouped(total)}`, side: 'right' },
    { title: 'refused', cell: ({ refused }) => grouped(refused), side: 'right' },
    { title: 'age', cell: ({ createdAt }) => age(createdAt, now), whole: true, side: 'right' },
    { title: 'by', cell: ({ createdBy }) => createdBy },
  ]
}
