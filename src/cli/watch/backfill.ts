// millrace watch backfill: tells a watch rows that are there already, and ends that before it is through.
import { Command } from 'commander'
import { inTransaction } from '../../db/transaction.ts'
import { Watches } from '../../sdk/watches.ts'
import { text, wholeNumber } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'

interface Choices {
  readonly where?: string
  readonly abort?: number
}

export function backfillCommand(current: CurrentSession): Command {
  return new Command('backfill')
    .description('tell a watch the rows that are there already; workers do it, batch by batch')
    .argument('<name>', 'the name of the watch')
    .option('--where <condition>', 'only rows for which this SQL holds; all unless told', text('--where'))
    .option(
      '--abort <id>',
      'end this backfill instead: what was told stays told',
      wholeNumber('--abort', 1, 999_999_999),
    )
    .action(async (name: string, { where, abort }: Choices) => {
      const session = current()
      if (abort !== undefined) {
        const aborted = await session.withDatabase(({ caller }) =>
          new Watches(() => Promise.resolve(caller)).abortBackfill(abort),
        )
        session.terminal.answer({ id: abort, aborted })
        session.terminal.print(
          aborted ? `Backfill ${abort} is ended.` : `Backfill ${abort} had ended already.`,
        )
        return
      }
      const { id } = await session.withDatabase(({ caller, client }) =>
        inTransaction(client, () =>
          new Watches(() => Promise.resolve(caller)).backfill(name, where ?? 'true'),
        ),
      )
      session.terminal.answer({ name, id })
      session.terminal.print(
        `Backfill ${id} is ordered. See how far it is with: npx millrace watch show ${name}`,
      )
    })
}
