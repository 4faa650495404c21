// millrace cache list: what lies in the cache, who computed it, and how long it may be used.
import { Command } from 'commander'
import { durationWords, grouped } from '../../core/wording.ts'
import { type CacheEntryRow, listCache } from '../../db/cache.ts'
import { readClock } from '../../db/diagnosis.ts'
import { wholeNumber } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import { type CacheChoices, chosen, withChoices } from './choices.ts'

export function listCommand(current: CurrentSession): Command {
  return withChoices(new Command('list').description('list cached values, the newest first'))
    .option('--limit <n>', 'at most so many, up to 1,000', wholeNumber('--limit', 1, 1_000), 20)
    .action(async ({ limit, ...choices }: CacheChoices & { readonly limit: number }) => {
      const session = current()
      const { rows, now } = await session.withDatabase(async ({ caller }) => ({
        rows: await listCache(caller, { ...chosen(choices), limit }),
        now: await readClock(caller),
      }))
      session.terminal.answer(rows)
      if (rows.length === 0) session.terminal.print('There is no such value in the cache.')
      else printTable(session.terminal, columns(now), rows)
    })
}

const columns = (now: Date): Column<CacheEntryRow>[] => [
  { title: 'scope', cell: ({ scope }) => scope },
  { title: 'key', cell: ({ key }) => key },
  { title: 'tenant', cell: ({ tenant }) => tenant ?? '' },
  { title: 'bytes', cell: ({ size }) => grouped(size), side: 'right', whole: true },
  { title: 'expires', cell: ({ expires_at }) => expiryWords(expires_at, now), side: 'right', whole: true },
  { title: 'computed by', cell: ({ run_id }) => run_id },
]

function expiryWords(expiresAt: Date, now: Date): string {
  const ms = expiresAt.getTime() - now.getTime()
  return ms <= 0 ? 'has' : `in ${durationWords(ms)}`
}
