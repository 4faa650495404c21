// One attempt at a step: its condition, its context, its timeout, and what became of it. A `tx` step is attempted elsewhere.
import { MillraceError, type StepError, toStepError } from '../core/errors.ts'
import { heard } from '../core/heard.ts'
import type { StepKind } from '../core/graph.ts'
import { checkJson } from '../core/json.ts'
import type { CacheOptions } from '../sdk/cache.ts'
import type { HandlerContext, RunInfo, StepContext, StepOutputs, TransactionClient } from '../sdk/context.ts'
import { validate } from '../sdk/standard-schema.ts'
import { StepSkipped } from '../sdk/step-skipped.ts'
import type { WorkerArtifacts } from './artifacts.ts'
import type { BackOffs } from './back-offs.ts'
import type { WorkerCache } from './cache.ts'
import { type AttemptDurable, type AttemptReports, type HeldTask } from './held-task.ts'
import { retryDelayOf } from './http-request.ts'
import type { WorkerLocks } from './locks.ts'
import { lazyObject, makersOf } from './lazy-object.ts'
import { Leaving, type LeavingOutcome } from './leaving.ts'
import { readSecrets } from './read-secrets.ts'
import type { RunMemory } from './run-memory.ts'
import type { ServedStep } from './served-steps.ts'
import type { SecretReads } from './secret-reads.ts'

export type Outcome =
  | { readonly kind: 'completed'; readonly output: string }
  | { readonly kind: 'skipped'; readonly reason: string }
  | {
      readonly kind: 'failed'
      readonly error: StepError
      /** Milliseconds, where it is known when to try again. */
      readonly retryDelayMs?: number | undefined
    }
  | LeavingOutcome

export interface AttemptRoom {
  /** Runs a query of a step's handler, and gives its rows. */
  readonly sql: (task: HeldTask, text: TemplateStringsArray, values: readonly unknown[]) => Promise<unknown[]>
  readonly log: (task: HeldTask, message: string, fields: Readonly<Record<string, unknown>>) => void
  readonly storeStacks: boolean
  /** Whether a pooler stands in between. */
  readonly pooled: boolean
  /** Makes what a handler says things with while it runs. */
  readonly reports: (task: HeldTask) => AttemptReports
  readonly cache: WorkerCache
  readonly locks: WorkerLocks
  readonly backOffs: BackOffs
  readonly artifacts: WorkerArtifacts
  readonly secrets: SecretReads
  /** Makes what a handler gets as `durable`. */
  readonly durable: (task: HeldTask) => AttemptDurable
}

/** Runs an attempt to its outcome. Never rejects: whatever a handler throws is an outcome too. */
export async function runAttempt(task: HeldTask, room: AttemptRoom): Promise<Outcome> {
  try {
    const context = handlerContext(task, room)
    const { cache, when } = task.step.handler
    // Most have none, and need not wait to hear so.
    if (when !== undefined && (await isUnwanted(task, context)))
      return { kind: 'skipped', reason: 'its condition said no' }
    const output = await (cache === undefined
      ? runHandler(task, context)
      : runHandler(task, context, () => room.cache.output(task, context, () => checkedOutput(task, context))))
    if (task.failedQuery !== undefined)
      room.log(task, `A query failed, and the step completed all the same: ${task.failedQuery}`, {})
    return { kind: 'completed', output }
  } catch (error) {
    if (error instanceof Leaving) return error.outcome
    if (task.durable !== undefined) await task.durable.failed(error)
    if (error instanceof StepSkipped) return { kind: 'skipped', reason: error.message }
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
    error: readSecrets.redactValue(
      toStepError(reason instanceof MillraceError ? reason : error, {
        stack: storeStacks,
        redact: (text) => readSecrets.redact(text),
      }),
    ),
    retryDelayMs: retryDelayOf(error),
  }
}

/** Whether the step's condition says that it is not wanted. */
export async function isUnwanted(task: HeldTask, context: HandlerContext): Promise<boolean> {
  const { when } = task.step.handler
  return when !== undefined && !(await withTimeout(task, () => when(context)))
}

/** The handler's output as JSON text, checked by its schema; rejects when the timeout is over, whatever the handler does. */
export async function runHandler(
  task: HeldTask,
  context: HandlerContext,
  work: () => unknown = () => checkedOutput(task, context),
): Promise<string> {
  const output = await withTimeout(task, work)
  if (task.durable !== undefined) await task.durable.end()
  return outputText(task, context, output)
}

/** An output as JSON text. @throws MillraceError json_invalid, json_too_large */
export function outputText(task: HeldTask, context: HandlerContext, output: unknown): string {
  return withoutSecrets(task, context, checkJson(output, { what: `the output of step '${task.step.name}'` }))
}

/** What is encrypted may hold a secret; what others can read may not. */
function withoutSecrets({ run }: HeldTask, context: HandlerContext, output: string): string {
  if (run.cipher !== undefined) return output
  const redacted = readSecrets.redactJson(output)
  if (redacted !== output)
    context.log('The output held a secret, whose name stands there now: read it in the step that needs it.')
  return redacted
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
 * gives at once needs no timer: nothing could have interrupted it. What it did before it first waited counts.
 */
function withTimeout<T>(task: HeldTask, work: () => T | PromiseLike<T>): T | Promise<T> {
  // Lost while its inputs were read, or its condition asked: nobody is to begin it any more.
  if (task.lost && task.abort.reason !== undefined) throw task.abort.reason
  const begunAt = performance.now()
  const given = work()
  if (!isPromiseLike(given)) return given
  const leftMs = task.step.timeoutMs - (performance.now() - begunAt)
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => {
        const error = timeoutError(task.step)
        task.abort.abort(error)
        reject(error)
      },
      Math.max(0, Math.min(leftMs, 2_147_483_647)),
    )
    task.abort.listen(() => {
      if (!task.lost || task.abort.reason === undefined) return
      // A handler that never ends is not to hold a process any longer.
      clearTimeout(timer)
      reject(task.abort.reason)
    })
    const settled = () => {
      clearTimeout(timer)
      task.abort.listen()
      task.interrupt = undefined
    }
    task.interrupt = (reason) => {
      settled()
      reject(reason)
    }
    Promise.resolve(given).then(resolve, reject).finally(settled)
    // Before the handler first waited, nobody was there to be told.
    const fault = task.durable?.fault
    if (fault !== undefined) task.interrupt(fault)
  })
}

function isPromiseLike<T>(given: T | PromiseLike<T>): given is PromiseLike<T> {
  return typeof (given as { readonly then?: unknown } | null | undefined)?.then === 'function'
}

export function timeoutError({ name, timeoutMs }: ServedStep): MillraceError {
  return new MillraceError(
    'attempt_timeout',
    `Step '${name}' took longer than its timeout of ${timeoutMs} ms.`,
    {
      fields: { step: name, timeoutMs },
    },
  )
}

/** Which attempt a context is of, and with what it is made. */
interface Attempted {
  readonly task: HeldTask
  readonly room: AttemptRoom
}

const contextMakers = makersOf<Attempted, StepContext<unknown, StepOutputs>>({
  input: ({ task }) => task.run.input,
  steps: ({ task }) => outputsOf(task.run, task.step.reads),
  run: ({ task }) => runInfo(task),
  step: ({ task }) => task.step.name,
  attempt: ({ task }) => task.attempt,
  idempotencyKey: ({ task: { run, step, item } }) =>
    item < 0 ? `${run.id}:${step.name}` : `${run.id}:${step.name}:${item}`,
  abort: ({ task }) => task.abort.signal,
  durable: ({ task, room }) => (task.durable ??= room.durable(task)),
  progress:
    ({ task, room }) =>
    (done, total, note) =>
      reportsOf(task, room).progress(done, total, note),
  setMetadata:
    ({ task, room }) =>
    (patch) =>
      reportsOf(task, room).setMetadata(patch),
  metric:
    ({ task, room }) =>
    (name, value, labels) =>
      reportsOf(task, room).metric(name, value, labels),
  stream: ({ task, room }) => ({ write: (part) => reportsOf(task, room).stream.write(part) }),
  sql:
    ({ task, room }) =>
    <Row>(text: TemplateStringsArray, ...values: readonly unknown[]) =>
      heard(room.sql(task, text, values)) as Promise<Row[]>,
  log:
    ({ task, room }) =>
    (message, fields = {}) =>
      room.log(task, message, fields),
  secret:
    ({ task, room }) =>
    (name) =>
      heard(room.secrets.read(task, name)),
  cache:
    ({ task, room }) =>
    (key: unknown, options: CacheOptions, work: () => unknown) =>
      heard(room.cache.get(task, key, options, work)) as Promise<never>,
  lock:
    ({ task, room }) =>
    (name: string, ...rest: readonly unknown[]) =>
      heard(room.locks.hold(task, name, ...rest)) as Promise<never>,
  backOff:
    ({ task, room }) =>
    (time, limit) =>
      heard(room.backOffs.hold(task, time, limit)),
  artifacts: ({ task, room }) => room.artifacts.of(task),
})

const contextShape = { makers: contextMakers }

/** In a transaction `durable` says why it is missing, and nobody meets it who only looks at what there is. */
const transactionShape = {
  makers: new Map([...contextMakers].filter(([name]) => name !== 'durable')),
  hidden: new Map([...contextMakers].filter(([name]) => name === 'durable')),
}

/** What a handler is given. Most read two or three of these. */
export function handlerContext(task: HeldTask, room: AttemptRoom, tx?: TransactionClient): HandlerContext {
  const outcome = task.run.outcome !== undefined && isEndingKind(task.step.kind) ? outcomeOf(task) : undefined
  const known = { ...outcome, ...(tx !== undefined && { tx }), ...knownOfItem(task) }
  return lazyObject(task.step.tx ? transactionShape : contextShape, { task, room }, known) as HandlerContext
}

/** What only the items of a map are told. */
export function knownOfItem({ item, itemValue }: HeldTask): object | undefined {
  return item < 0 ? undefined : { item: itemValue, index: item }
}

function isEndingKind(kind: StepKind): boolean {
  return kind === 'undo' || kind === 'finally'
}

/** What follows the outcome of the run is told of it; what undoes a step, or an item of a map, also what that gave. */
function outcomeOf({ run, step, item, undone }: HeldTask): object {
  if (step.undoes === undefined) return { ...run.outcome }
  return { ...run.outcome, output: item >= 0 ? undone : run.outputs.get(step.undoes)?.value }
}

function reportsOf(task: HeldTask, room: AttemptRoom): AttemptReports {
  task.reports ??= room.reports(task)
  return task.reports
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
