// Registers the webhooks of a worker's configuration as a set: what it registered before for its pipelines and is gone now is retired.
import { defineWebhooks } from '../db/webhooks.ts'
import type { Trigger } from '../sdk/trigger.ts'
import { definitionRow, isWebhook } from '../sdk/webhook.ts'
import type { RegistrationRoom } from './registration-room.ts'

export async function registerWebhooks(
  triggers: readonly Trigger[],
  { caller, slugs, log }: RegistrationRoom,
): Promise<void> {
  const changes = await defineWebhooks(caller, triggers.filter(isWebhook).map(definitionRow), slugs)
  for (const { name, change } of changes)
    if (change === 'retired')
      log({
        level: 'warn',
        message: `Webhook '${name}' is retired: no code declares it any more, so what arrives is refused.`,
      })
}
