// millrace limit show: one rule, and its busiest keys.
import { Command } from 'commander'
import { settingWords, targetWords } from '../../core/limit-words.ts'
import { fill } from '../../core/text-fill.ts'
import { dateWords } from '../../core/wording.ts'
import { Limits, type LimitInfo, type LimitKey, unknownLimit } from '../../sdk/limits.ts'
import { wholeNumber } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

export function showCommand(current: CurrentSession): Command {
  return new Command('show')
    .description('show a limit and its busiest keys')
    .argument('<name>', 'the name of the limit')
    .option('--keys <n>', 'so many keys, up to 1,000', wholeNumber('--keys', 1, 1_000), 20)
    .action(async (name: string, { keys }: { readonly keys: number }) => {
      const session = current()
      const [limit] = await session.withDatabase(({ caller }) =>
        new Limits(() => Promise.resolve(caller)).list({ name, keys }),
      )
      if (limit === undefined) throw unknownLimit(name)
      session.terminal.answer(limit)
      for (const line of head(limit)) session.terminal.print(line)
      if (limit.keys.length === 0) return
      session.terminal.print()
      printTable(session.terminal, columns(limit), limit.keys)
    })
}

function head({ name, settings, targets, source, revision, changedAt, changedBy }: LimitInfo): string[] {
  const by = source === 'code' ? 'declared in code' : "an operator's"
  return [
    ...fill(`${name}: ${settingWords(settings)}.`),
    ...fill(`It holds for ${targets.map(targetWords).join(', ')}.`),
    ...fill(`Revision ${revision}, ${by}, changed by ${changedBy} on ${dateWords(changedAt)} UTC.`),
  ]
}

function columns({ kind, settings }: LimitInfo): Column<LimitKey>[] {
  return [
    { title: 'key', cell: ({ key }) => (key === '' ? '(all)' : key) },
    ...(kind === 'concurrency'
      ? [{ title: 'in use', cell: ({ used, capacity }: LimitKey) => `${used} of ${capacity}`, whole: true }]
      : []),
    ...(kind === 'fairness'
      ? [{ title: 'each turn', cell: ({ weight }: LimitKey) => String(weight), whole: true }]
      : []),
    { title: 'wait', cell: ({ waiting }) => String(waiting), side: 'right', whole: true },
    ...(settings.fifo === undefined ? [] : [{ title: 'behind', cell: headWords }]),
    { title: 'until', cell: untilWords, whole: true },
  ]
}

function headWords({ head }: LimitKey): string {
  return head === null ? '' : `${head.step} of run ${head.run}, since ${dateWords(head.since)}`
}

function untilWords({ fullUntil, openUntil, heldUntil }: LimitKey): string {
  if (heldUntil !== null) return `held, ${dateWords(heldUntil)}`
  if (openUntil !== null) return `open, ${dateWords(openUntil)}`
  return fullUntil === null ? '' : `full, ${dateWords(fullUntil)}`
}
