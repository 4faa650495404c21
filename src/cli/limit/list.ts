// millrace limit list: the rules, what they say, and how many wait for them.
import { Command } from 'commander'
import { settingWords, targetWords } from '../../core/limit-words.ts'
import { Limits, type LimitInfo, type LimitKey } from '../../sdk/limits.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

/** As many keys as a server tells of each. */
const keysMax = 100

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list the limits: what each says and holds for, and how busy it is')
    .action(async () => {
      const session = current()
      const limits = await session.withDatabase(({ caller }) =>
        new Limits(() => Promise.resolve(caller)).list({ keys: keysMax }),
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
    cell: ({ keys }) => sumWords(keys, ({ used }) => used),
    side: 'right',
    whole: true,
  },
  {
    title: 'wait',
    cell: ({ keys }) => sumWords(keys, ({ waiting }) => waiting),
    side: 'right',
    whole: true,
  },
]

/** The sum over the busiest keys, those with most waiting first: with a plus where there may be others that are busy. */
function sumWords(keys: readonly LimitKey[], count: (key: LimitKey) => number): string {
  const sum = keys.reduce((total, key) => total + count(key), 0)
  const last = keys[keysMax - 1]
  return last !== undefined && (last.waiting > 0 || count(last) > 0) ? `${sum}+` : String(sum)
}
