// One attempt at a step: its condition, its context, its timeout, and what became of it. A `tx` step is attempted elsewhere.
import { MillraceError, type StepError, toStepError } from '../core/errors.ts'
import { checkJson } from '../core/json.ts'
import type { HandlerContext, RunInfo, Sql, TransactionClient } from '../sdk/context.ts'
import { validate } from '../sdk/standard-schema.ts'
import type { HeldTask } from './held-task.ts'
import type { RunMemory } from './run-memory.ts'

export type Outcome =
  | { readonly kind: 'completed'; readonly output: string }
  | { readonly kind: 'skipped'; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: StepError }

export interface AttemptRoom {
  readonly sql: Sql
  readonly log: (task: HeldTask, message: string, fields: Readonly<Record<string, unknown>>) => void
  readonly storeStacks: boolean
  /** Whether a pooler stands in between. */
  readonly pooled: boolean
}

/** Runs an attempt to its outcome. Never rejects: whatever a handler throws is an outcome too. */
export async function runAttempt(task: HeldTask, room: AttemptRoom): Promise<Outcome> {
  try {
    const context = handlerContext(task, room)
    if (await isUnwanted(task, context)) return { kind: 'skipped', reason: 'its condition said no' }
    return { kind: 'completed', output: await runHandler(task, context) }
  } catch (error) {
    return failure(task, error, room.storeStacks)
  }
}

/** The outcome of an attempt that threw. */
export function failure(
  task: HeldTask,
  error: unknown,
  storeStacks: boolean,
): Extract<Outcome, { kind: 'failed' }> {
  // The handler often only passes on that it was aborted; what aborted it says more.
  const reason = task.abort.aborted ? task.abort.reason : undefined
  return {
    kind: 'failed',
    error: toStepError(reason instanceof MillraceError ? reason : error, { stack: storeStacks }),
  }
}

/** Whether the step's condition says that it is not wanted. */
export async function isUnwanted(task: HeldTask, context: HandlerContext): Promise<boolean> {
  const { when } = task.step.handler
  return when !== undefined && !(await withTimeout(task, () => when(context)))
}

/** The handler's output as JSON text, checked by its schema; rejects when the timeout is over, whatever the handler does. */
export async function runHandler(task: HeldTask, context: HandlerContext): Promise<string> {
  const output = await withTimeout(task, () => checkedOutput(task, context))
  return checkJson(output, { what: `the output of step '${task.step.name}'` })
}

function checkedOutput({ step }: HeldTask, context: HandlerContext): unknown {
  const { handler, outputSchema } = step.handler
  const output = handler(context)
  if (outputSchema === undefined) return output
  const what = `The output of step '${step.name}'`
  return Promise.resolve(output).then((value) =>
    validate(outputSchema, value, { code: 'output_invalid', what }),
  )
}

/**
 * Ends with the work, at the timeout, or as soon as the task is lost: then nobody waits for what the work still does. What the work
 * gives at once needs no timer: nothing could have interrupted it.
 */
function withTimeout<T>(task: HeldTask, work: () => T | PromiseLike<T>): T | Promise<T> {
  const given = work()
  if (!isPromiseLike(given)) return given
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => {
        const error = timeoutError(task)
        task.abort.abort(error)
        reject(error)
      },
      Math.min(task.step.timeoutMs, 2_147_483_647),
    )
    task.abort.listen(() => {
      if (task.lost && task.abort.reason !== undefined) reject(task.abort.reason)
    })
    const settled = () => {
      clearTimeout(timer)
      task.abort.listen()
    }
    Promise.resolve(given).then(resolve, reject).finally(settled)
  })
}

function isPromiseLike<T>(given: T | PromiseLike<T>): given is PromiseLike<T> {
  return typeof (given as { readonly then?: unknown } | null | undefined)?.then === 'function'
}

function timeoutError(task: HeldTask): MillraceError {
  const { name, timeoutMs } = task.step
  return new MillraceError(
    'attempt_timeout',
    `Step '${name}' took longer than its timeout of ${timeoutMs} ms.`,
    {
      fields: { step: name, timeoutMs },
    },
  )
}

/** What a handler is given. */
export function handlerContext(task: HeldTask, room: AttemptRoom, tx?: TransactionClient): HandlerContext {
  const { step, run } = task
  let outputs: Record<string, unknown> | undefined
  const context = {
    input: run.input,
    // Most handlers read one or two of these: what costs something is made when it is asked for.
    get steps() {
      outputs ??= outputsOf(run, step.reads)
      return outputs
    },
    get run() {
      return runInfo(task)
    },
    step: step.name,
    attempt: task.attempt,
    get idempotencyKey() {
      return task.item < 0 ? `${run.id}:${step.name}` : `${run.id}:${step.name}:${task.item}`
    },
    get abort() {
      return task.abort.signal
    },
    sql: room.sql,
    log: (message: string, fields: Readonly<Record<string, unknown>> = {}) => room.log(task, message, fields),
  }
  if (tx !== undefined) return Object.assign(context, { tx })
  return task.item < 0 ? context : Object.assign(context, { item: task.itemValue, index: task.item })
}

function outputsOf(run: RunMemory, steps: readonly string[]): Record<string, unknown> {
  const outputs: Record<string, unknown> = Object.create(null)
  for (const step of steps) {
    // Parsed when it is read: most handlers read one of many.
    Object.defineProperty(outputs, step, { enumerable: true, get: () => run.outputs.get(step)?.value })
  }
  return outputs
}

function runInfo({ run, step }: HeldTask): RunInfo {
  return {
    id: run.id,
    pipeline: step.slug,
    version: step.version,
    key: run.key,
    tenant: run.tenant,
    headers: run.headers,
    startedAt: run.startedAt,
  }
}
