// millrace failure list: the failed runs that nobody has decided on, in groups of one kind of failure.
import { Command } from 'commander'
import { grouped, oneLine } from '../../core/wording.ts'
import { type FailureGroup, failures } from '../../sdk/redrives.ts'
import { columnNames } from '../column-names.ts'
import { pastTime, text, wholeNumber } from '../option-values.ts'
import { age } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

interface ListOptions {
  readonly pipeline?: string
  readonly tenant?: string
  readonly since?: Date
  readonly limit: number
}

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list the kinds of failures that wait for a decision, the most frequent first')
    .option('--pipeline <name>', 'only runs of this pipeline', text('--pipeline'))
    .option('--tenant <tenant>', 'only runs of this tenant', text('--tenant'))
    .option('--since <time>', 'failed at or after this time: 2030-01-31T08:00Z, or 2h ago', pastTime)
    .option('--limit <n>', 'at most so many, up to 1,000', wholeNumber('--limit', 1, 1_000), 20)
    .action(async (options: ListOptions) => {
      const session = current()
      const rows = await session.withDatabase(({ caller }) => failures(caller, options))
      session.terminal.answer(rows.map(columnNames))
      if (rows.length === 0) {
        session.terminal.print('No failed run waits for a decision.')
        return
      }
      printTable(session.terminal, columns(new Date()), rows)
      session.terminal.print()
      session.terminal.print(
        'Give one kind fresh attempts with: npx millrace redrive start --fingerprint KIND',
      )
    })
}

function columns(now: Date): Column<FailureGroup>[] {
  return [
    { title: 'kind', cell: ({ fingerprint }) => fingerprint, whole: true },
    { title: 'runs', cell: ({ runs }) => grouped(runs), side: 'right' },
    { title: 'pipeline', cell: ({ pipeline }) => pipeline },
    { title: 'step', cell: ({ step }) => step ?? '' },
    { title: 'last', cell: ({ lastAt }) => age(lastAt, now), whole: true, side: 'right' },
    {
      title: 'error',
      cell: ({ code, message }) => oneLine([code, message].filter((part) => part !== null).join(': ')),
    },
  ]
}
