// Starts the runs of emitted events, right after their emitters have committed.
import type { Caller } from '../db/call.ts'
import { workEvents } from '../db/events.ts'
import type { TriggerTask } from './trigger-work.ts'

const batch = 100

export function eventStarts(caller: Caller): TriggerTask {
  return async () => (await workEvents(caller, batch)).more
}
