// Registers the subscriptions of a configuration as a set.
import { defineCodeSubscriptions } from '../db/events.ts'
import type { Subscription } from '../sdk/subscribe.ts'
import type { Trigger } from '../sdk/trigger.ts'
import type { RegistrationRoom } from './registration-room.ts'

/** Also where none is declared: there may have been one. @throws MillraceError argument_invalid, pipeline_unknown */
export async function registerSubscriptions(
  triggers: readonly Trigger[],
  { caller, slugs, log }: RegistrationRoom,
): Promise<void> {
  const declared = triggers.filter(isSubscription).map(({ name, settings }) => ({ name, settings }))
  for (const { name, change, revision } of await defineCodeSubscriptions(caller, declared, slugs)) {
    if (change === 'operator')
      log({
        level: 'info',
        message: `Subscription '${name}' is as an operator defined it, revision ${revision}: what the code says of it does not count.`,
      })
    if (change === 'retired')
      log({ level: 'info', message: `Subscription '${name}' is gone from the code, and is retired.` })
  }
}

function isSubscription(trigger: Trigger): trigger is Subscription {
  return trigger.kind === 'subscription'
}
