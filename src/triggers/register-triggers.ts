// Registers the triggers of a configuration, each kind as a set: what is new comes, what changed changes, what is gone is retired.
import type { Trigger } from '../sdk/trigger.ts'
import { registerSchedules } from './register-schedules.ts'
import { registerSubscriptions } from './register-subscriptions.ts'
import { registerWebhooks } from './register-webhooks.ts'
import { registerWatches } from './register-watches.ts'
import type { RegistrationRoom } from './registration-room.ts'

/** After the pipelines are registered. */
export async function registerTriggers(triggers: readonly Trigger[], room: RegistrationRoom): Promise<void> {
  await registerSchedules(triggers, room)
  await registerWebhooks(triggers, room)
  await registerSubscriptions(triggers, room)
  await registerWatches(triggers, room)
}
