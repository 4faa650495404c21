// millrace webhook revoke: ends the time in which the former secret of a webhook counts beside its current one.
import { Command } from 'commander'
import type { CurrentSession } from '../session.ts'
import { onWebhooks } from './webhooks.ts'

export function revokeCommand(current: CurrentSession): Command {
  return new Command('revoke')
    .description('refuse the former secret of a webhook from now on, within a second')
    .argument('<name>', 'the name of the webhook')
    .action(async (name: string) => {
      const session = current()
      const revoked = await onWebhooks(session, (webhooks) => webhooks.revoke(name))
      session.terminal.answer({ name, revoked })
      session.terminal.print(
        revoked
          ? `The former secret of webhook ${name} counts no more.`
          : `Webhook ${name} has no former secret.`,
      )
    })
}
