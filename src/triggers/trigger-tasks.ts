// Which kinds of triggers a worker works off, and by what.
import { backfillTask, type ChangeRoom, changeStarts } from './change-starts.ts'
import { type CallbackRoom, callbackSending } from './callback-sending.ts'
import { eventStarts } from './event-starts.ts'
import { pingTask, type PingRoom } from './pings.ts'
import { scheduleTasks } from './schedules.ts'
import type { TriggerTask } from './trigger-work.ts'
import { verificationTask, type VerificationRoom } from './verifications.ts'

/** What the kinds need of a worker: among it `caller`, for short transactions that write. */
export interface TriggerRoom extends VerificationRoom, PingRoom, CallbackRoom, ChangeRoom {}

export function triggerTasks(room: TriggerRoom): ReadonlyMap<string, TriggerTask> {
  return new Map([
    ...scheduleTasks(room.caller),
    ['verification', verificationTask(room)],
    ['ping', pingTask(room)],
    ['callback', callbackSending(room)],
    ['event', eventStarts(room.caller)],
    ['change', changeStarts(room)],
    ['backfill', backfillTask(room)],
  ])
}
