// millrace dead-letter list: the failed runs that nobody has decided on, one by one.
import { Command } from 'commander'
import { oneLine } from '../../core/wording.ts'
import { type DeadLetterRow, listDeadLetters } from '../../db/dead-letters.ts'
import { withoutPosition } from '../../db/list-bounds.ts'
import { text, wholeNumber } from '../option-values.ts'
import { age } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

interface Choices {
  readonly pipeline?: string
  readonly tenant?: string
  readonly fingerprint?: string
  readonly limit: number
}

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list the failed runs that nobody has decided on, the latest failure first')
    .option('--pipeline <name>', 'only runs of this pipeline', text('--pipeline'))
    .option('--tenant <tenant>', 'only runs of this tenant', text('--tenant'))
    .option('--fingerprint <kind>', 'only failures of this kind: see failure list', text('--fingerprint'))
    .option('--limit <n>', 'at most so many, up to 1,000', wholeNumber('--limit', 1, 1_000), 20)
    .action(async (choices: Choices) => {
      const session = current()
      const rows = await session.withDatabase(({ caller }) => listDeadLetters(caller, choices))
      session.terminal.answer(rows.map(withoutPosition))
      if (rows.length === 0) {
        session.terminal.print('No failed run waits for a decision.')
        return
      }
      printTable(session.terminal, columns(new Date()), rows)
      session.terminal.print()
      session.terminal.print('Give them fresh attempts with: npx millrace dead-letter redrive RUN')
    })
}

function columns(now: Date): Column<DeadLetterRow>[] {
  return [
    { title: 'run', cell: ({ run }) => run, whole: true },
    { title: 'pipeline', cell: ({ pipeline }) => pipeline },
    { title: 'step', cell: ({ step, item }) => (item === null ? (step ?? '') : `${step} item ${item}`) },
    { title: 'age', cell: ({ failed_at }) => age(failed_at, now), whole: true, side: 'right' },
    {
      title: 'error',
      cell: ({ error }) =>
        oneLine([error.code, error.message].filter((part) => part !== undefined).join(': ')),
    },
  ]
}
