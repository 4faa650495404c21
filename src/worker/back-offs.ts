// What an attempt does that was told to come back later: it holds the limits of its step, so that no worker begins what would be told the same.
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import { backOff } from '../db/back-offs.ts'
import type { Caller } from '../db/call.ts'
import type { WorkerKey } from '../db/tasks.ts'
import { AttemptAborted, type HeldTask, throwIfAborted } from './held-task.ts'
import { untilAnswered } from './turn-batches.ts'

export class BackOffs {
  readonly #caller: Caller
  readonly #worker: WorkerKey

  constructor(caller: Caller, worker: WorkerKey) {
    this.#caller = caller
    this.#worker = worker
  }

  /** Holds the limits of the task's step, or the one that is named, until the time has passed. */
  async hold(task: HeldTask, time: Duration, limit?: string): Promise<void> {
    const { taskId, step, attempt } = task
    const delayMs = durationMs(time, `The time for which step '${step.name}' backs off`)
    const asked = { taskId, stepId: step.id, attempt, delayMs, limit: limit ?? null }
    throwIfAborted(task)
    const answer = await untilAnswered(() => backOff(this.#caller, this.#worker, asked))
    if (answer === 'lost') throw new AttemptAborted('the lease was lost')
    if (answer === 'unlimited') throw notLimited(step.name, limit)
  }
}

function notLimited(step: string, limit: string | undefined): MillraceError {
  const what =
    limit === undefined
      ? 'no limit of concurrency or rate holds for it'
      : `no concurrency, rate or breaker '${limit}' holds for it`
  return new MillraceError('step_not_limited', `Step '${step}' backs off, but ${what}.`, {
    fields: { step, ...(limit === undefined ? {} : { limit }) },
  })
}
