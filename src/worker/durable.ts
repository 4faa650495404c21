// What a handler gets as `durable`: its operations, held against what is stored, and the moment at which the step can only wait.
import { randomUUID } from 'node:crypto'
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import type { KeptError } from '../core/kept-error.ts'
import { checkJson } from '../core/json.ts'
import type { CheckpointKind } from '../core/state.ts'
import { grouped } from '../core/wording.ts'
import type { WaitSpec } from '../db/waits.ts'
import type {
  ApprovalOptions,
  CallOptions,
  CallOutcome,
  DecisionOf,
  DurableRunContext,
  HttpRequest,
  SignalAnswer,
  SignalNames,
  SignalOptions,
} from '../sdk/durable.ts'
import type { Jsonify } from '../sdk/jsonify.ts'
import type { PipelineInput, PipelineOutput, Startable, StartedRun } from '../sdk/startable.ts'
import type { Schema } from '../sdk/standard-schema.ts'
import { approvalWait, decisionOf } from './approvals.ts'
import { checkedInput, type Children } from './children.ts'
import type { Checkpoints } from './checkpoints.ts'
import type { AttemptDurable, HeldTask } from './held-task.ts'
import type { HttpCalls } from './http-calls.ts'
import { Leaving } from './leaving.ts'
import { type Operation, placeOf, Replay, type StoredResult } from './replay.ts'
import { signalOf, signalWait } from './signals.ts'
import { SurvivedErrors } from './survived-errors.ts'

export interface DurableRoom {
  readonly checkpoints: Checkpoints
  readonly children: Children
  readonly httpCalls: HttpCalls
  /** The database's time. */
  readonly now: () => Promise<Date>
  readonly random: () => number
  readonly storeStacks: boolean
}

/**
 * A handler that was given a result while a wait is open may be at work outside of any operation, as after a race that the wait has lost:
 * so long it may take before the step is parked nevertheless.
 */
const busyMs = 1_000

/** Of one attempt, at a time: each is kept in memory until its result is stored, and a worker that runs out of it takes every other attempt along. */
const operationsMax = 100_000

/** So long an operation waits that is asked for in the place of another, which may be late, as in a branch that awaits something first. */
const doubtMs = 2_000

/** What makes an operation's result, the first time, and what its stored one is to the handler. */
interface Doing<T> {
  /** Resolves to the result; never, where the step is to be parked. */
  readonly perform: (operation: Operation) => Promise<T>
  readonly recall: (value: unknown, name: string) => T | Promise<T>
}

/** @throws MillraceError durable_in_transaction */
export function attemptDurable(task: HeldTask, room: DurableRoom): AttemptDurable {
  if (!task.step.tx) return new DurableOperations(task, room)
  throw new MillraceError(
    'durable_in_transaction',
    `Step '${task.step.name}' is marked tx, and so has no \`durable\`: its transaction can't be held open until it goes on.`,
    { fields: { step: task.step.name } },
  )
}

class DurableOperations implements AttemptDurable {
  readonly #task: HeldTask
  readonly #room: DurableRoom
  readonly #unnamed = new Map<CheckpointKind, number>()
  readonly #waits: Array<{ readonly operation: Operation; readonly spec: WaitSpec }> = []
  #replay: Replay | undefined
  #loading: Promise<Replay> | undefined
  /** How many operations have no result yet, those among them that wait. */
  #open = 0
  /** Rises with each operation that begins or ends. */
  #events = 0
  /** Whether the last of these gave the handler something to work on. */
  #gave = false
  #stopLooking: (() => void) | undefined
  /** The one operation that is open, until another joins it. */
  #lonely: Operation | undefined
  /** Told when an operation begins. */
  #begun: (() => void) | undefined
  /** Inside the function of a `run`, until it first awaits. */
  #inside = false
  #fault: Error | undefined
  #ended = false
  /** The last result that was sent to be stored. */
  #stored: Promise<unknown> | undefined
  readonly #errors: SurvivedErrors

  constructor(task: HeldTask, room: DurableRoom) {
    this.#task = task
    this.#room = room
    this.#errors = new SurvivedErrors((operation, kept) => this.#keep(operation, kept), room.storeStacks)
    // A first attempt finds nothing.
    if (task.attempt === 1) this.#replay = new Replay(task.step.name, [])
  }

  get fault(): Error | undefined {
    return this.#fault
  }

  run<Out>(name: string, work: (context: DurableRunContext) => Out): Promise<Jsonify<Awaited<Out>>> {
    return this.#operate('run', name, {
      perform: (operation) => this.#perform(operation, work),
      recall: (value) => value as Jsonify<Awaited<Out>>,
    })
  }

  sleep(time: Duration | { readonly name: string; readonly for: Duration }): Promise<void> {
    const { name, duration } =
      typeof time === 'object' ? { name: time.name, duration: time.for } : { name: undefined, duration: time }
    return this.#sleep(name, () => ({
      ms: durationMs(duration, `The time of a durable.sleep in step '${this.#task.step.name}'`),
    }))
  }

  sleepUntil(time: Date | { readonly name: string; readonly until: Date }): Promise<void> {
    const [name, until] = time instanceof Date ? [undefined, time] : [time.name, time.until]
    return this.#sleep(name, () => ({ until: isoOf(until, this.#task) }))
  }

  signal<Payload extends Schema | undefined = undefined, Timeout extends Duration | undefined = undefined>(
    names: SignalNames,
    options: SignalOptions<Payload, Timeout> = {},
  ): Promise<SignalAnswer<Payload, Timeout>> {
    return this.#operate('signal', options.as, {
      perform: async (operation) =>
        this.#park(operation, {
          ...headOf(operation),
          kind: 'signal',
          ...signalWait(this.#task.step.name, names, options),
        }),
      recall: (value) => signalOf(value, options.payload) as Promise<SignalAnswer<Payload, Timeout>>,
    })
  }

  approval<Form extends Schema | undefined = undefined>(
    name: string,
    options: ApprovalOptions<Form>,
  ): Promise<DecisionOf<Form>> {
    return this.#operate('approval', name, {
      perform: async (operation) =>
        this.#park(operation, { ...headOf(operation), kind: 'approval', ...approvalWait(options) }),
      recall: (value) => decisionOf(value, name, options) as Promise<DecisionOf<Form>>,
    })
  }

  call<P extends Startable, Detached extends boolean = false>(
    pipeline: P,
    input: PipelineInput<P>,
    options: CallOptions<Detached> = {},
  ): Promise<Detached extends true ? StartedRun : PipelineOutput<P>> {
    const { children } = this.#room
    type Result = Detached extends true ? StartedRun : PipelineOutput<P>
    return this.#operate('call', options.as, {
      perform: async (operation) => {
        const details = await children.waitFor(pipeline, input, options)
        return this.#park(operation, { ...headOf(operation), kind: 'call', ...details })
      },
      recall: (value) => children.resultOf(value, pipeline, options.detached === true) as Result,
    })
  }

  callMany<P extends Startable>(
    pipeline: P,
    inputs: ReadonlyArray<PipelineInput<P>>,
    options: Omit<CallOptions<false>, 'detached'> = {},
  ): Promise<CallOutcome<PipelineOutput<P>>[]> {
    const { children } = this.#room
    return this.#operate('call', options.as, {
      perform: async (operation) => {
        if (inputs.length === 0) return this.#store(operation, '[]')
        const details = await children.waitForMany(this.#task, pipeline, inputs, options)
        return this.#park(operation, { ...headOf(operation), kind: 'call', ...details })
      },
      recall: async (value, name) => {
        const ended = Array.isArray(value) ? [] : await children.resultsOf(this.#task, name)
        return ended as CallOutcome<PipelineOutput<P>>[]
      },
    })
  }

  http(request: HttpRequest): Promise<unknown> {
    const { httpCalls } = this.#room
    return this.#operate('http', request.as, {
      perform: async (operation) => {
        const answer = await httpCalls.post(this.#task, headOf(operation), request)
        return 'value' in answer ? this.#store(operation, answer.value) : this.#park(operation, answer.wait)
      },
      recall: (value) => httpCalls.resultOf(value, request),
    })
  }

  now(): Promise<Date> {
    return this.#operate('now', undefined, {
      perform: async (operation) => {
        const now = await this.#room.now()
        return new Date(String(await this.#store(operation, JSON.stringify(now))))
      },
      recall: (value) => new Date(String(value)),
    })
  }

  random(): Promise<number> {
    return this.#draw('random', () => this.#room.random())
  }

  uuid(): Promise<string> {
    return this.#draw('uuid', () => randomUUID())
  }

  async continueAs(input: unknown): Promise<never> {
    this.#refuseLate()
    const { step } = this.#task
    if (!step.last) {
      throw new MillraceError(
        'continue_misplaced',
        `Step '${step.name}' is not the one last step of pipeline '${step.slug}', so its run can't be continued there.`,
        { fields: { step: step.name, pipeline: step.slug } },
      )
    }
    const text = checkJson(await checkedInput(step.slug, step.inputSchema, input), {
      what: `the input with which run ${this.#task.run.id} is continued`,
    })
    await this.end()
    this.#leave(new Leaving({ kind: 'continued', input: text }))
    return forever()
  }

  end(): void | Promise<void> {
    this.#ended = true
    this.#stopLooking?.()
    if (this.#fault !== undefined) throw this.#fault
    this.#replay?.end()
    if (this.#errors.open) return this.#errors.keep()
  }

  async failed(error: unknown): Promise<void> {
    this.#ended = true
    this.#stopLooking?.()
    const names = await this.#errors.close(error)
    if (names.length > 0 && !this.#task.lost) await this.#room.checkpoints.forget(this.#task, names)
  }

  #draw<T>(kind: 'random' | 'uuid', draw: () => T): Promise<T> {
    return this.#operate(kind, undefined, {
      perform: (operation) => this.#store<T>(operation, JSON.stringify(draw())),
      recall: (value) => value as T,
    })
  }

  #sleep(
    given: string | undefined,
    time: () => { readonly ms: number } | { readonly until: string },
  ): Promise<void> {
    return this.#operate('sleep', given, {
      perform: async (operation) => this.#park(operation, { ...headOf(operation), kind: 'sleep', ...time() }),
      recall: () => {},
    })
  }

  #operate<T>(kind: CheckpointKind, given: string | undefined, doing: Doing<T>): Promise<T> {
    const alone = this.#open === 0
    const operating = this.#begin(kind, given ?? this.#nameOf(kind), alone, doing)
    // Whoever doesn't await it leaves its error unheard; that must not end the process.
    operating.catch(() => {})
    return operating
  }

  async #begin<T>(kind: CheckpointKind, name: string, alone: boolean, doing: Doing<T>): Promise<T> {
    this.#refuseLate()
    // Nobody awaits what comes after the end.
    if (this.#ended) return forever()
    this.#open++
    this.#events++
    this.#gave = false
    this.#begun?.()
    try {
      if (this.#open > operationsMax) throw tooMany(this.#task)
      checkName(name, this.#task)
      const replay = this.#replay ?? (await this.#load())
      if (this.#ended) return await forever()
      const { operation, stored, doubt } = replay.ask(kind, name, alone)
      this.#accompany(operation)
      if (doubt !== undefined) await this.#wonder(doubt)
      if (stored === undefined) {
        // What comes now may rest on an error that the handler got over: that is remembered before anything is done.
        if (this.#errors.open) await this.#keepErrors()
        return await doing.perform(operation)
      }
      await new Promise<void>((resolve) => replay.give(stored, resolve))
      return await this.#recall(stored, doing.recall)
    } catch (error) {
      if (isVoid(error)) this.#leave(error)
      throw error
    } finally {
      this.#open--
      this.#lonely = undefined
      this.#events++
      this.#gave = true
      this.#lookSoon()
    }
  }

  #accompany(operation: Operation): void {
    if (!operation.accompanied) this.#lonely = operation
    else if (this.#lonely !== undefined) {
      this.#lonely.accompanied = true
      this.#lonely = undefined
    }
  }

  /** Throws the doubt, unless another operation begins soon: then the two may have come in another order before. */
  #wonder(doubt: MillraceError): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#begun = undefined
        reject(doubt)
      }, doubtMs)
      this.#begun = () => {
        this.#begun = undefined
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #nameOf(kind: CheckpointKind): string {
    const number = (this.#unnamed.get(kind) ?? 0) + 1
    this.#unnamed.set(kind, number)
    return `${kind}#${number}`
  }

  #load(): Promise<Replay> {
    this.#loading ??= this.#room.checkpoints.begin(this.#task).then((stored) => {
      this.#replay = new Replay(this.#task.step.name, stored)
      return this.#replay
    })
    return this.#loading
  }

  /** An operation that comes after the end of the attempt is nobody's any more. */
  #refuseLate(): void {
    if (this.#task.lost && this.#task.abort.reason !== undefined) throw this.#task.abort.reason
    if (this.#fault !== undefined) throw this.#fault
    if (!this.#inside) return
    throw new MillraceError(
      'durable_nested',
      `Step '${this.#task.step.name}' calls a durable operation inside the function of a durable.run.`,
      { fields: { step: this.#task.step.name } },
    )
  }

  async #perform<T>(operation: Operation, work: (context: DurableRunContext) => unknown): Promise<T> {
    let value: string
    try {
      const result = await this.#work(operation, work)
      value = checkJson(result, {
        what: `the result of '${operation.name}' in step '${this.#task.step.name}'`,
      })
    } catch (error) {
      if (isVoid(error)) throw error
      if (this.#ended) return forever()
      return this.#errors.give(operation, error, this.#stored)
    }
    // Not awaited here: of a thousand at once, each layer is a thousand promises.
    return this.#store(operation, value)
  }

  /** Calls the function; what it gives may be a promise. */
  #work({ name }: Operation, work: (context: DurableRunContext) => unknown): unknown {
    this.#inside = true
    try {
      return work(new RunContext(this.#task, name))
    } finally {
      this.#inside = false
    }
  }

  /** Stores JSON text and gives what it says, so that a replay never differs. */
  #store<T>(operation: Operation, value: string): Promise<T> {
    // In the order in which the handler gets them: a race is won again by what won it.
    if (this.#errors.open) return this.#keepErrors().then(() => this.#write<T>(operation, value))
    return this.#write(operation, value)
  }

  #write<T>(operation: Operation, value: string): Promise<T> {
    const { kind, name } = operation
    const place = placeOf(operation)
    const storing = this.#room.checkpoints.write(this.#task, { kind, name, place, value, error: null })
    this.#stored = storing
    return storing.then((kept) => (kept === undefined ? JSON.parse(value) : kept.value) as T)
  }

  #keep(operation: Operation, kept: KeptError): Promise<unknown> {
    const { kind, name } = operation
    const error = JSON.stringify(kept)
    return this.#room.checkpoints.write(this.#task, {
      kind,
      name,
      place: placeOf(operation),
      value: null,
      error,
    })
  }

  /** Stores the errors that the handler got over; where it didn't, nobody awaits what comes. */
  async #keepErrors(): Promise<void> {
    await this.#errors.keep()
    if (this.#ended) await forever()
  }

  /** An endpoint may complete with an error, which stands for good, as does an error that an earlier attempt got over. */
  #recall<T>({ kind, name, value, error }: StoredResult, recall: Doing<T>['recall']): T | Promise<T> {
    if (error === null || error === undefined) return recall(value, name)
    if (kind === 'run') return this.#errors.giveAgain(name, error as KeptError)
    const { message } = error as { message?: string }
    throw new MillraceError(
      'http_refused',
      `The endpoint completed '${name}' with an error: ${message ?? 'it gave no reason'}`,
      { fields: { name, error } },
    )
  }

  #park(operation: Operation, spec: WaitSpec): Promise<never> {
    this.#waits.push({ operation, spec })
    this.#events++
    this.#gave = false
    this.#lookSoon()
    return forever()
  }

  /** Parks the step where nothing but waits is open, and a turn of the event loop brings nothing new. */
  #lookSoon(): void {
    this.#stopLooking?.()
    if (this.#ended || this.#waits.length === 0 || this.#open > this.#waits.length) return
    const events = this.#events
    const look = () => {
      if (events !== this.#events) this.#lookSoon()
      else if (!this.#errors.open) this.#leave(new Leaving({ kind: 'parked', waits: this.#parkedWaits() }))
      else void this.#errors.keep().then(look, (error) => this.#leave(error))
    }
    if (this.#gave) {
      const timer = setTimeout(look, busyMs)
      this.#stopLooking = () => clearTimeout(timer)
    } else {
      const turn = setImmediate(look)
      this.#stopLooking = () => clearImmediate(turn)
    }
  }

  #parkedWaits(): WaitSpec[] {
    return this.#waits.map(({ operation, spec }) => ({ ...spec, place: placeOf(operation) }))
  }

  #leave(reason: Error): void {
    if (this.#ended && !(reason instanceof Leaving)) return
    this.#ended = true
    this.#stopLooking?.()
    if (!(reason instanceof Leaving)) this.#fault ??= reason
    this.#task.interrupt?.(reason)
  }
}

/** What the function of a `run` gets: most never look at it. */
class RunContext implements DurableRunContext {
  readonly #task: HeldTask
  readonly #name: string

  constructor(task: HeldTask, name: string) {
    this.#task = task
    this.#name = name
  }

  get idempotencyKey(): string {
    const { run, step, item } = this.#task
    return `${run.id}:${step.name}${item < 0 ? '' : `:${item}`}:${this.#name}`
  }

  get abort(): AbortSignal {
    return this.#task.abort.signal
  }
}

function headOf(operation: Operation): { readonly name: string; readonly place: number } {
  return { name: operation.name, place: placeOf(operation) }
}

const voidCodes: ReadonlySet<string> = new Set([
  'durable_full',
  'durable_name_taken',
  'durable_nested',
  'replay_mismatch',
])

/** An error after which nothing that the handler does counts, though it may catch it. */
function isVoid(error: unknown): error is MillraceError {
  return error instanceof MillraceError && voidCodes.has(error.code)
}

function tooMany({ step }: HeldTask): MillraceError {
  return new MillraceError(
    'durable_full',
    `Step '${step.name}' has more than ${grouped(operationsMax)} durable operations open at a time: await them in parts.`,
    { fields: { step: step.name, limit: operationsMax } },
  )
}

function forever(): Promise<never> {
  return new Promise(() => {})
}

const nameMax = 200

function checkName(name: unknown, { step }: HeldTask): void {
  if (typeof name === 'string' && name !== '' && name.length <= nameMax && !name.includes('\u0000')) return
  throw new MillraceError(
    'step_option_invalid',
    `A durable operation of step '${step.name}' has a name that is no text of 1 to ${nameMax} characters.`,
    { fields: { step: step.name, option: 'name' } },
  )
}

function isoOf(time: Date, { step }: HeldTask): string {
  if (!Number.isNaN(time.getTime())) return time.toISOString()
  throw new MillraceError(
    'duration_invalid',
    `Step '${step.name}' calls durable.sleepUntil with an invalid date: give it one that there is.`,
    { fields: { step: step.name } },
  )
}
