// millrace webhook list: the webhooks, what they start, and what came in the last day.
import { Command } from 'commander'
import { grouped } from '../../core/wording.ts'
import type { WebhookInfo } from '../../sdk/webhooks.ts'
import { ago } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import { onWebhooks } from './webhooks.ts'

export function listCommand(current: CurrentSession): Command {
  return new Command('list')
    .description('list the webhooks: what each starts, and how many requests came in the last day')
    .action(async () => {
      const session = current()
      const webhooks = await onWebhooks(session, (all) => all.list())
      session.terminal.answer(webhooks)
      if (webhooks.length === 0) session.terminal.print('There is no webhook.')
      else printTable(session.terminal, columns(new Date()), webhooks)
    })
}

function columns(now: Date): Column<WebhookInfo>[] {
  return [
    { title: 'webhook', cell: ({ name }) => name },
    { title: 'provider', cell: ({ provider }) => provider },
    { title: 'starts', cell: ({ pipelines }) => pipelines.join(', ') },
    { title: 'accepted', cell: ({ lastDay }) => grouped(lastDay.accepted), side: 'right' },
    { title: 'failed', cell: ({ lastDay }) => grouped(lastDay.failed), side: 'right' },
    { title: 'refused', cell: ({ lastDay }) => grouped(lastDay.refused), side: 'right' },
    {
      title: 'last',
      cell: ({ retiredAt, lastAt }) =>
        retiredAt !== null ? 'retired' : lastAt === null ? 'none' : ago(lastAt, now),
      whole: true,
    },
  ]
}
