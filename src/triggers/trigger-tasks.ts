// Which kinds of triggers a worker works off, and by what.
import type { Caller } from '../db/call.ts'
import type { TriggerTask } from './trigger-work.ts'

export interface TriggerRoom {
  /** For short transactions that write. */
  readonly caller: Caller
}

export function triggerTasks(_room: TriggerRoom): ReadonlyMap<string, TriggerTask> {
  return new Map()
}
