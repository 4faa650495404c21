// millrace webhook show: one webhook with its settings.
import { Command } from 'commander'
import { dateWords, grouped } from '../../core/wording.ts'
import type { WebhookInfo } from '../../sdk/webhooks.ts'
import type { CurrentSession } from '../session.ts'
import type { Terminal } from '../terminal.ts'
import { onWebhooks } from './webhooks.ts'

export function showCommand(current: CurrentSession): Command {
  return new Command('show')
    .description('show a webhook: its settings, the names of its secrets, and the last day')
    .argument('<name>', 'the name of the webhook')
    .action(async (name: string) => {
      const session = current()
      const webhook = await onWebhooks(session, (webhooks) => webhooks.show(name))
      session.terminal.answer(webhook)
      printWebhook(session.terminal, webhook)
    })
}

function printWebhook(terminal: Terminal, webhook: WebhookInfo): void {
  const { lastDay, settings, retiredAt } = webhook
  const lines: Array<readonly [string, string]> = [
    ['provider', webhook.provider],
    ['starts', webhook.pipelines.join(', ')],
    ['secrets', webhook.secrets.join(', ')],
    ['known by', JSON.stringify(settings['id'])],
    ['takes', (settings['content_types'] as string[]).join(', ')],
    ['up to', `${grouped(settings['body_limit'] as number)} bytes`],
    ['from', ((settings['ip_allow'] as string[] | undefined) ?? ['everywhere']).join(', ')],
    ['kept', `${webhook.keepDays} days`],
    ['revision', `${webhook.revision}, ${dateWords(webhook.changedAt)} UTC by ${webhook.changedBy}`],
    [
      'last day',
      `${grouped(lastDay.accepted)} accepted, ${grouped(lastDay.filtered)} filtered, ${grouped(lastDay.failed)} failed, ${grouped(lastDay.refused)} refused`,
    ],
  ]
  terminal.print(`Webhook ${webhook.name}`)
  for (const [title, text] of lines) terminal.print(`${title.padEnd(10)}${text}`)
  if (retiredAt !== null)
    terminal.print(
      `Retired since ${dateWords(retiredAt)} UTC: no code declares it, so what arrives is refused.`,
    )
}
