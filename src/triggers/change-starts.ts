// Starts the runs of changes in watched tables, right after whoever made them has committed, and tells rows that were there before.
import type { Caller } from '../db/call.ts'
import { deliverChanges, workBackfills } from '../db/watches.ts'
import type { TriggerTask } from './trigger-work.ts'

/** Larger ones share commits no better, and hold up the starts of others. */
const batch = 500

export interface ChangeRoom {
  /** For single statements that are a transaction each: a change waits for no round trip more. */
  readonly statements: Caller
}

export function changeStarts({ statements }: ChangeRoom): TriggerTask {
  return async () => (await deliverChanges(statements, batch)).more
}

export function backfillTask({ statements }: ChangeRoom): TriggerTask {
  return async () => (await workBackfills(statements, batch)).more
}
