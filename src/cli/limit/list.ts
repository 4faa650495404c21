// millrace limit list: the rules, what they say, and how many wait for them.
import { Command } from 'commander'
import { settingWords, targetWords } from '../../core/limit-words.ts'
import { Limits, type LimitInfo } from '../../sdk/limits.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list the limits: what each says and holds for, and how busy it is')
    .action(async () => {
      const session = current()
      const limits = await session.withDatabase(({ caller }) =>
        new Limits(() => Promise.resolve(caller)).list(),
      )
      session.terminal.answer(limits)
      if (limits.length === 0) session.terminal.print('There is no limit.')
      else printTable(session.terminal, columns, limits)
    })
}

const columns: readonly Column<LimitInfo>[] = [
  { title: 'limit', cell: ({ name }) => name },
  { title: 'says', cell: ({ settings }) => settingWords(settings) },
  { title: 'holds for', cell: ({ targets }) => targets.map(targetWords).join(', ') },
  { title: 'by', cell: ({ source }) => source, whole: true },
  { title: 'revision', cell: ({ revision }) => String(revision), side: 'right' },
  {
    title: 'used',
    cell: ({ keys }) => String(sum(keys.map(({ used }) => used))),
    side: 'right',
    whole: true,
  },
  {
    title: 'wait',
    cell: ({ keys }) => String(sum(keys.map(({ waiting }) => waiting))),
    side: 'right',
    whole: true,
  },
]

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}
