// millrace webhook deliveries: the newest requests, and what became of each.
import { Command } from 'commander'
import type { DeliveryInfo } from '../../sdk/webhooks.ts'
import { wholeNumber } from '../option-values.ts'
import { age } from '../run-words.ts'
import type { CurrentSession } from '../session.ts'
import { type Column, printTable } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { paintState } from './delivery-words.ts'
import { type FilterChoices, filterOf, withFilterOptions } from './filter-options.ts'
import { onWebhooks } from './webhooks.ts'

interface Choices extends FilterChoices {
  readonly limit: number
}

export function deliveriesCommand(current: CurrentSession): Command {
  const command = new Command('deliveries')
    .description('list the newest deliveries, refused ones too, and what became of each')
    .option('--limit <n>', 'at most so many, up to 1,000', wholeNumber('--limit', 1, 1_000), 20)
  return withFilterOptions(command).action(async (choices: Choices) => {
    const session = current()
    const filter = { ...filterOf(choices), limit: choices.limit }
    const deliveries = await onWebhooks(session, (webhooks) => webhooks.deliveries(filter))
    session.terminal.answer(deliveries)
    if (deliveries.length === 0) session.terminal.print('There is no such delivery.')
    else printTable(session.terminal, columns(session.terminal, new Date()), deliveries)
  })
}

function columns(terminal: Terminal, now: Date): Column<DeliveryInfo>[] {
  return [
    { title: 'delivery', cell: ({ id }) => id, whole: true },
    { title: 'webhook', cell: ({ webhook }) => webhook },
    { title: 'state', cell: ({ state }) => state, whole: true, paint: (cell) => paintState(terminal, cell) },
    { title: 'age', cell: ({ receivedAt }) => age(receivedAt, now), whole: true, side: 'right' },
    { title: 'reason', cell: ({ reason }) => reason ?? '', whole: true, below: true },
    {
      title: 'runs',
      cell: ({ runs }) => runs.map(({ outcome }) => outcome).join(', '),
      whole: true,
      below: true,
    },
  ]
}
