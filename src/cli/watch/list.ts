// millrace watch list: the watches, what each waits for, and what is wrong with it.
import { Command } from 'commander'
import { readClock } from '../../db/diagnosis.ts'
import { fill } from '../../core/text-fill.ts'
import { durationWords } from '../../core/wording.ts'
import { Watches, type WatchInfo } from '../../sdk/watches.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import { stateWords } from './words.ts'

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list the watches: their tables, whether they are applied, and how many changes wait')
    .action(async () => {
      const session = current()
      const { watches, now } = await session.withDatabase(async ({ caller }) => ({
        watches: await new Watches(() => Promise.resolve(caller)).list(),
        now: await readClock(caller),
      }))
      session.terminal.answer(watches)
      if (watches.length === 0) session.terminal.print('There is no watch.')
      else printTable(session.terminal, columns(now), watches)
      for (const { name, problems } of watches.filter(({ problems }) => problems.length > 0))
        for (const line of fill(`Watch ${name}: ${problems.join('; ')}. See npx millrace watch plan`))
          session.terminal.print(line)
    })
}

function columns(now: Date): readonly Column<WatchInfo>[] {
  return [
    { title: 'watch', cell: ({ name }) => name },
    { title: 'table', cell: ({ table }) => table },
    { title: 'pipeline', cell: ({ pipeline }) => pipeline },
    { title: 'state', cell: stateWords, whole: true },
    { title: 'wait', cell: ({ waiting }) => String(waiting), side: 'right', whole: true },
    {
      title: 'oldest',
      cell: ({ oldestAt }) => (oldestAt === null ? '' : durationWords(now.getTime() - oldestAt.getTime())),
      side: 'right',
      whole: true,
    },
  ]
}
