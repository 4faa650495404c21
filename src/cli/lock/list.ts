// millrace lock list: who holds named locks, and who waits for them in which order.
import { Command } from 'commander'
import { durationWords } from '../../core/wording.ts'
import { readClock } from '../../db/diagnosis.ts'
import { listLocks, type LockRow } from '../../db/locks.ts'
import { text, wholeNumber } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

interface Choices {
  readonly name?: string
  readonly limit: number
}

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list who holds named locks, each followed by who waits for it')
    .option('--name <name>', 'only this one', text('--name'))
    .option('--limit <n>', 'at most so many lines, up to 1,000', wholeNumber('--limit', 1, 1_000), 100)
    .action(async ({ name, limit }: Choices) => {
      const session = current()
      const { rows, now } = await session.withDatabase(async ({ caller }) => ({
        rows: await listLocks(caller, { name, limit }),
        now: await readClock(caller),
      }))
      session.terminal.answer(rows)
      if (rows.length === 0) session.terminal.print('No lock is held.')
      else printTable(session.terminal, columns(now), rows)
    })
}

const columns = (now: Date): Column<LockRow>[] => [
  { title: 'lock', cell: ({ name, tenant }) => (tenant === null ? name : `${name} of ${tenant}`) },
  { title: 'state', cell: ({ token }) => (token === null ? 'waits' : `held, ${token}`), whole: true },
  {
    title: 'for',
    cell: ({ since }) => durationWords(now.getTime() - since.getTime()),
    side: 'right',
    whole: true,
  },
  { title: 'step', cell: ({ step, item }) => (item === null ? step : `${step} item ${item}`) },
  { title: 'run', cell: ({ run_id }) => run_id, whole: true },
]
