// What the registration of each kind of trigger is given.
import type { Caller } from '../db/call.ts'

export interface RegistrationRoom {
  readonly caller: Caller
  /** The pipelines of the configuration: only triggers of these are retired. */
  readonly slugs: readonly string[]
  readonly log: (entry: { readonly level: 'info' | 'warn' | 'error'; readonly message: string }) => void
}
