// millrace webhook rotate: makes the secret of a webhook, or its next one, and shows it once.
import { Command } from 'commander'
import type { Duration } from '../../core/duration.ts'
import { durationWords } from '../../core/wording.ts'
import { text } from '../option-values.ts'
import type { CurrentSession } from '../session.ts'
import { onWebhooks } from './webhooks.ts'

export function rotateCommand(current: CurrentSession): Command {
  return new Command('rotate')
    .description(
      'make the secret of a webhook, or its next one, in the form of its provider; shown this once',
    )
    .argument('<name>', 'the name of the webhook')
    .option(
      '--overlap <duration>',
      'how long the former one counts as well: 0s, 1h, 7d',
      text('--overlap'),
      '1d',
    )
    .action(async (name: string, { overlap }: { overlap: string }) => {
      const session = current()
      const secret = await onWebhooks(session, async (webhooks, triggers) => {
        const known = await webhooks.list()
        // Its secret may be made before anything listens.
        if (known.every((webhook) => webhook.name !== name))
          await webhooks.register(triggers.filter((trigger) => trigger.name === name))
        return webhooks.rotate(name, { overlap: overlap as Duration })
      })
      session.terminal.answer(secret)
      session.terminal.print(secret.value)
      session.terminal.note(
        `Give it to the sender now: it is shown this once. Secret ${secret.name} has version ${secret.version}.`,
      )
      if (secret.overlapSeconds > 0)
        session.terminal.note(
          `The former one counts for ${durationWords(secret.overlapSeconds * 1_000)} more; end that with: npx millrace webhook revoke ${name}`,
        )
    })
}
