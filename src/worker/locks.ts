// Named locks as attempts take them: asked for until they are there, and given back when the function under them ends.
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import { isShortText } from '../core/short-text.ts'
import type { Caller } from '../db/call.ts'
import { type LockAsked, releaseLock, takeLock } from '../db/locks.ts'
import type { WorkerKey } from '../db/tasks.ts'
import type { HeldLock, LockOptions } from '../sdk/locks.ts'
import { AttemptAborted, type HeldTask, throwIfAborted } from './held-task.ts'
import { refuseSecrets } from './secret-names.ts'
import { untilAnswered } from './turn-batches.ts'
import type { Wakes } from './wakes.ts'

type Work = (lock: HeldLock) => unknown

const underLock = new AsyncLocalStorage<true>()

/** Whether this line of a handler runs under a lock. */
export function isUnderLock(): boolean {
  return underLock.getStore() === true
}

export class WorkerLocks {
  readonly #caller: Caller
  readonly #worker: WorkerKey
  readonly #wakes: Wakes

  constructor(caller: Caller, worker: WorkerKey, wakes: Wakes) {
    this.#caller = caller
    this.#worker = worker
    this.#wakes = wakes
  }

  /** Runs the work under the lock. In a transaction it lasts until that has ended, with the attempt: nobody sees less than the whole. */
  async hold(task: HeldTask, name: unknown, ...rest: readonly unknown[]): Promise<unknown> {
    refuseSecrets(`The name of a lock of step '${task.step.name}'`, name)
    const { asked, work } = askedFor(task, name, rest)
    let isTaken = false
    try {
      const token = await this.#take(task, asked)
      isTaken = true
      return await underLock.run(true, async () => work({ token }))
    } finally {
      if (!isTaken || !task.step.tx) await this.#giveBack(task, asked)
    }
  }

  async #take(task: HeldTask, asked: LockAsked): Promise<number> {
    for (let looks = 0; ; looks++) {
      throwIfAborted(task)
      const { kind, token } = await untilAnswered(() => takeLock(this.#caller, this.#worker, asked))
      if (kind === 'held') return token!
      if (kind === 'timeout') throw lockTimeout(task, asked)
      if (kind === 'circle') throw lockCircle(task, asked)
      if (kind === 'lost') throw new AttemptAborted('the lease was lost')
      await this.#wakes.next(`lock ${asked.request}`, looks, task.abort.signal)
    }
  }

  /** Once the attempt is over it is free by itself. */
  async #giveBack(task: HeldTask, { request }: LockAsked): Promise<void> {
    await untilAnswered(async () => {
      if (!task.lost) await releaseLock(this.#caller, this.#worker, request)
    }).catch(() => {})
  }
}

function askedFor(
  { taskId, step, attempt }: HeldTask,
  name: unknown,
  rest: readonly unknown[],
): { readonly asked: LockAsked; readonly work: Work } {
  const work = rest.at(-1)
  const options = rest.length > 1 ? (rest[0] as LockOptions | undefined) : undefined
  if (!isShortText(name)) throw lockInvalid(step.name, 'under a name that is no text of 1 to 200 characters')
  if (typeof work !== 'function') throw lockInvalid(step.name, 'without a function to run under it')
  const waitMs =
    options?.timeout === undefined ? null : durationMs(options.timeout, `The timeout of the lock '${name}'`)
  const asked = { taskId, stepId: step.id, attempt, request: randomUUID(), name, waitMs }
  return { asked, work: work as Work }
}

function lockInvalid(step: string, problem: string): MillraceError {
  return new MillraceError('lock_invalid', `Step '${step}' asked for a lock ${problem}.`, {
    fields: { step },
  })
}

function lockTimeout({ step }: HeldTask, { name, waitMs }: LockAsked): MillraceError {
  return new MillraceError(
    'lock_timeout',
    `Step '${step.name}' did not get the lock '${name}' within ${waitMs} ms.`,
    { fields: { step: step.name, lock: name, waitMs } },
  )
}

function lockCircle({ step }: HeldTask, { name }: LockAsked): MillraceError {
  return new MillraceError(
    'lock_circle',
    `Step '${step.name}' would wait for the lock '${name}' for ever: whoever holds it waits, in the end, for this step.`,
    { fields: { step: step.name, lock: name } },
  )
}
