// millrace webhook delivery: one request, who sent it, and what became of it.
import { Command } from 'commander'
import { dateWords, grouped } from '../../core/wording.ts'
import type { DeliveryInfo } from '../../sdk/webhooks.ts'
import type { CurrentSession } from '../session.ts'
import type { Terminal } from '../terminal.ts'
import { runWords, stateWords } from './delivery-words.ts'
import { onWebhooks } from './webhooks.ts'

export function deliveryCommand(current: CurrentSession): Command {
  return new Command('delivery')
    .description('show a delivery: when and from where it came, what it was answered, and its runs')
    .argument('<id>', 'the id of the delivery')
    .action(async (id: string) => {
      const session = current()
      const delivery = await onWebhooks(session, (webhooks) => webhooks.delivery(id))
      session.terminal.answer(delivery)
      printDelivery(session.terminal, delivery)
    })
}

function printDelivery(terminal: Terminal, delivery: DeliveryInfo): void {
  const { providerId, problem, bodyBytes, replayOf, tries, repeats, sourceIp } = delivery
  const lines: Array<readonly [string, string | null]> = [
    ['webhook', delivery.webhook],
    ['known as', providerId],
    ['received', `${dateWords(delivery.receivedAt)} UTC${sourceIp === null ? '' : ` from ${sourceIp}`}`],
    ['state', stateWords(delivery)],
    ['answered', String(delivery.status)],
    ['problem', problem],
    ['judged', tries > 1 ? `${tries} times, last ${dateWords(delivery.judgedAt)} UTC` : null],
    ['repeated', repeats > 0 ? `${repeats} times, answered as at first` : null],
    ['body', bodyBytes === null ? null : `${grouped(bodyBytes)} bytes of ${delivery.contentType}`],
    ['replay of', replayOf],
    ['replays', delivery.replays.length === 0 ? null : delivery.replays.join(', ')],
  ]
  terminal.print(`Delivery ${delivery.id}`)
  for (const [title, text] of lines) if (text !== null) terminal.print(`${title.padEnd(11)}${text}`)
  for (const run of delivery.runs) terminal.print(`${'run'.padEnd(11)}${runWords(run)}`)
}
