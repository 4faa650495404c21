// millrace subscription list: which events start runs of which pipelines.
import { Command } from 'commander'
import { type SubscriptionInfo, Subscriptions } from '../../sdk/subscriptions.ts'
import { text } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list which events start runs of which pipelines')
    .option('--event <name>', 'only those to this event', text('--event'))
    .action(async ({ event }: { readonly event?: string }) => {
      const session = current()
      const subscriptions = await session.withDatabase(({ caller }) =>
        new Subscriptions(() => Promise.resolve(caller)).list(event),
      )
      session.terminal.answer(subscriptions)
      if (subscriptions.length === 0) session.terminal.print('There is no such subscription.')
      else printTable(session.terminal, columns, subscriptions)
    })
}

const columns: readonly Column<SubscriptionInfo>[] = [
  { title: 'subscription', cell: ({ name }) => name },
  { title: 'event', cell: ({ event }) => event },
  { title: 'starts', cell: ({ pipeline }) => pipeline },
  { title: 'where', cell: ({ filter }) => (filter === null ? '' : JSON.stringify(filter)) },
  { title: 'of', cell: ({ tenant }) => tenant ?? 'all' },
  { title: 'by', cell: ({ source }) => source, whole: true },
  { title: 'revision', cell: ({ revision }) => String(revision), side: 'right', whole: true },
  { title: '', cell: ({ pausedAt }) => (pausedAt === null ? '' : 'paused'), whole: true },
]
