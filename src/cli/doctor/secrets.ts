// Owns what a doctor looks at in the secrets: how old they are, and whether those that webhooks name are there.
import { count, durationWords } from '../../core/wording.ts'
import type { SecretRow } from '../../db/secrets.ts'
import type { WebhookRow } from '../../db/webhooks.ts'
import { type Finding, ok, warn } from './finding.ts'

const told = 3

export function checkSecrets(
  secrets: readonly SecretRow[],
  webhooks: readonly Pick<WebhookRow, 'name' | 'secrets' | 'retired_at'>[],
  now: Date,
): Finding {
  const kept = new Set(secrets.map(({ name }) => name))
  const refusing = webhooks.find(
    (webhook) => webhook.retired_at === null && !webhook.secrets.some((name) => kept.has(name)),
  )
  if (refusing !== undefined) return withoutSecret(refusing)
  const overdue = secrets.filter(({ is_overdue }) => is_overdue)
  if (secrets.length === 0) return ok('secrets', 'There are none')
  if (overdue.length === 0)
    return ok('secrets', `${count(secrets.length, 'secret', 'secrets')}, none older than it may be`)
  const names = overdue
    .slice(0, told)
    .map(
      ({ name, changed_at }) =>
        `${name}, which is ${durationWords(now.getTime() - changed_at.getTime())} old`,
    )
  const more = overdue.length > told ? `; and ${overdue.length - told} more` : ''
  return warn(
    'secrets',
    `${count(overdue.length, 'secret is', 'secrets are')} older than it may be: ${names.join('; ')}${more}.`,
    'Change it where it is used, then write the new value with: npx millrace secret rotate NAME',
  )
}

/** One of two is enough: the other may be the former one. */
function withoutSecret({ name, secrets }: Pick<WebhookRow, 'name' | 'secrets'>): Finding {
  return warn(
    'secrets',
    `Webhook '${name}' takes no delivery: its secret '${secrets[0]}' does not exist.`,
    `Make it with: npx millrace webhook rotate ${name}`,
  )
}
