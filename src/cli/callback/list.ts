// millrace callback list: what was told to other servers of the ends of runs, or is still to be.
import { Command } from 'commander'
import { type CallbackDelivery, Callbacks } from '../../sdk/callbacks.ts'
import { text, wholeNumber } from '../option-values.ts'
import { runIdOf } from '../run-id.ts'
import { age } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import { targetOf } from './words.ts'

interface Choices {
  readonly run?: string
  readonly open?: boolean
  readonly limit: number
}

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list what other servers are told of the ends of runs, the newest first')
    .option('--run <id>', 'only of this run', text('--run'))
    .option('--open', 'only what was not delivered')
    .option('--limit <n>', 'at most so many, up to 1,000', wholeNumber('--limit', 1, 1_000), 20)
    .action(async ({ run, open, limit }: Choices) => {
      const session = current()
      const wanted = { ...(run !== undefined && { run: runIdOf(run) }), ...(open && { open }), limit }
      const deliveries = await session.withDatabase(({ caller }) =>
        new Callbacks(() => Promise.resolve(caller)).list(wanted),
      )
      session.terminal.answer(deliveries)
      if (deliveries.length === 0) session.terminal.print('There is no such callback.')
      else printTable(session.terminal, columns(new Date()), deliveries)
    })
}

function columns(now: Date): Column<CallbackDelivery>[] {
  return [
    { title: 'callback', cell: ({ id }) => id, whole: true },
    { title: 'to', cell: ({ url }) => targetOf(url) },
    { title: 'of', cell: ({ pipeline, ended }) => `${pipeline} ${ended}` },
    { title: 'state', cell: ({ state, disabled }) => (disabled ? 'disabled' : state), whole: true },
    { title: 'tries', cell: ({ attempts }) => String(attempts.length), side: 'right', whole: true },
    { title: 'age', cell: ({ endedAt }) => age(endedAt, now), side: 'right', whole: true },
  ]
}
