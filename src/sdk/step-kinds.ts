// Owns the kinds of steps whose handler Millrace brings: their options, and the handler that each becomes, built on `durable`.
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import type { BroughtKind } from '../core/graph.ts'
import { clientCaller } from '../db/call.ts'
import { callFunction } from '../db/sql-function.ts'
import type { HandlerContext, WhenContext } from './context.ts'
import type {
  ApprovalOptions,
  CallOptions,
  Decision,
  HttpRequest,
  SignalNames,
  SignalOptions,
} from './durable.ts'
import { StepSkipped } from './step-skipped.ts'
import type { Schema } from './standard-schema.ts'
import { isPipelineLike, type PipelineInput, type Startable } from './startable.ts'
import type { IfSkipped, OnError } from './outcome-options.ts'
import type { PlaceOptions } from './step-options.ts'
import type { NamesIn, OutputsOf, UpTo } from './step-types.ts'
import { readsSteps } from './steps-read.ts'

type Seen<Input, Steps, After> = NoInfer<WhenContext<Input, OutputsOf<Steps, UpTo<Steps, NamesIn<After>>>>>

type BroughtOptions<
  Input,
  Steps,
  After,
  When,
  OnErr extends OnError,
  Skipped extends IfSkipped,
> = PlaceOptions<Input, Steps, UpTo<Steps, NamesIn<After>>, After, When, OnErr, Skipped>

export type SleepOptions<
  Input,
  Steps,
  After,
  When,
  OnErr extends OnError,
  Skipped extends IfSkipped,
> = BroughtOptions<Input, Steps, After, When, OnErr, Skipped> &
  (
    | { readonly for: Duration; readonly until?: never }
    | { readonly until: (context: Seen<Input, Steps, After>) => Date | string; readonly for?: never }
  )

export type SignalStepOptions<
  Input,
  Steps,
  After,
  When,
  OnErr extends OnError,
  Skipped extends IfSkipped,
  Payload extends Schema | undefined,
  Timeout extends Duration | undefined,
> = BroughtOptions<Input, Steps, After, When, OnErr, Skipped> &
  Omit<SignalOptions<Payload, Timeout>, 'as' | 'match'> & {
    /** The signal's name, or several; that of the step unless told. */
    readonly signal?: SignalNames
    /** What the payload must hold: an object, or a function that gives one. */
    readonly match?: object | ((context: Seen<Input, Steps, After>) => unknown)
  }

/** What becomes of the step when nobody approves in time, or somebody rejects. */
export type ApprovalEnd = 'fail' | 'skip' | 'approve' | 'reject'

export interface ApprovalStepOptions<
  Input,
  Steps,
  After,
  When,
  OnErr extends OnError,
  Skipped extends IfSkipped,
  Form extends Schema | undefined,
  Otherwise extends ApprovalEnd,
  Rejected extends 'fail' | 'skip' | 'continue',
> extends BroughtOptions<Input, Steps, After, When, OnErr, Skipped>,
    Omit<ApprovalOptions<Form>, 'title' | 'data' | 'otherwise'> {
  /** What is asked; the name of the step unless told. */
  readonly title?: string | ((context: Seen<Input, Steps, After>) => string)
  /** What whoever decides should see. */
  readonly data?: (context: Seen<Input, Steps, After>) => unknown
  /** What becomes of the step when it expires; `fail` unless told. */
  readonly otherwise?: Otherwise
  /** What becomes of the step when it is rejected: `continue` gives the decision to the steps after it. `fail` unless told. */
  readonly rejected?: Rejected
}

export interface CallStepOptions<
  Input,
  Steps,
  After,
  When,
  OnErr extends OnError,
  Skipped extends IfSkipped,
  P extends Startable,
  Detached extends boolean,
> extends BroughtOptions<Input, Steps, After, When, OnErr, Skipped>,
    Omit<CallOptions<Detached>, 'as'> {
  readonly pipeline: P
  readonly input: (
    context: Seen<Input, Steps, After>,
  ) => NoInfer<PipelineInput<P>> | Promise<NoInfer<PipelineInput<P>>>
}

export interface HttpStepOptions<
  Input,
  Steps,
  After,
  When,
  OnErr extends OnError,
  Skipped extends IfSkipped,
  Output extends Schema | undefined,
> extends BroughtOptions<Input, Steps, After, When, OnErr, Skipped>,
    Omit<HttpRequest, 'as' | 'body' | 'timeout'> {
  /** How long the answer may take, whether it comes at once or later. */
  readonly timeout: Duration
  /** What is sent, as JSON; the input of the run unless told. */
  readonly body?: (context: Seen<Input, Steps, After>) => unknown
  /** Checks the answer. */
  readonly output?: Output
}

export interface SqlStepOptions<
  Input,
  Steps,
  After,
  When,
  OnErr extends OnError,
  Skipped extends IfSkipped,
  Output extends Schema | undefined,
> extends BroughtOptions<Input, Steps, After, When, OnErr, Skipped> {
  /** Schema and name of a function from jsonb to jsonb; the worker must be told to allow the schema. */
  readonly function: string
  /** What the function is given; the input of the run unless told. */
  readonly input?: (context: Seen<Input, Steps, After>) => unknown
  /** Checks what the function gives. */
  readonly output?: Output
}

type Reader = (context: never) => unknown

/** The options of these kinds as they are read, once the compiler has checked what is known of them. */
export interface BroughtWritten {
  readonly for?: Duration
  readonly until?: Reader
  readonly signal?: SignalNames
  readonly timeout?: Duration
  readonly take?: 'next' | 'first'
  readonly match?: object | Reader
  readonly payload?: Schema
  readonly title?: string | Reader
  readonly data?: Reader
  readonly roles?: readonly string[]
  readonly people?: readonly string[]
  readonly quorum?: number
  readonly form?: Schema
  readonly remind?: Duration
  readonly expires?: Duration
  readonly otherwise?: ApprovalEnd
  readonly rejected?: 'fail' | 'skip' | 'continue'
  readonly pipeline?: Startable
  readonly input?: Reader
  readonly detached?: boolean
  readonly priority?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly tenant?: string
  readonly url?: string
  readonly secret?: string
  readonly body?: Reader
  readonly function?: string
}

/** The options that each kind takes beyond those of every step. */
export const broughtOptionNames: Readonly<Record<BroughtKind, readonly string[]>> = {
  sleep: ['for', 'until'],
  signal: ['signal', 'timeout', 'take', 'match', 'payload'],
  approval: [
    'title',
    'data',
    'roles',
    'people',
    'quorum',
    'form',
    'remind',
    'expires',
    'otherwise',
    'rejected',
  ],
  call: ['pipeline', 'input', 'detached', 'priority', 'headers', 'tenant'],
  http: ['url', 'timeout', 'secret', 'headers', 'body', 'output'],
  sql: ['function', 'input', 'output'],
}

/** A step of one of these kinds: the handler, whether it reads outputs of other steps, and what it is about. */
export interface BroughtStep {
  readonly handler: (context: HandlerContext) => unknown
  readonly readsSteps: boolean
  readonly target: string | undefined
}

/** @throws MillraceError step_option_invalid, duration_invalid */
export function broughtStep(kind: BroughtKind, options: BroughtWritten, refuse: Refuse): BroughtStep {
  const readers = [options.until, options.match, options.title, options.data, options.input, options.body]
  return {
    handler: makers[kind](options, refuse),
    readsSteps: readers.some((reader) => typeof reader === 'function' && readsSteps(reader as Reader)),
    target: targetOf(kind, options),
  }
}

/** Refuses an option of the step, with the reason. */
export type Refuse = (option: string, reason: string) => never

type Maker = (options: BroughtWritten, refuse: Refuse) => (context: HandlerContext) => unknown

const makers: Readonly<Record<BroughtKind, Maker>> = {
  sleep: (options, refuse) => {
    const { until } = options
    if (until !== undefined)
      return async (context) => context.durable.sleepUntil(dateOf(await read(until, context)))
    if (options.for === undefined) return refuse('for', 'neither a `for` nor an `until`')
    const ms = durationMs(options.for, 'The `for` of a sleep')
    return ({ durable }) => durable.sleep(ms)
  },

  signal: ({ signal, timeout, take, match, payload }, refuse) => {
    if (timeout !== undefined) durationMs(timeout, 'The timeout of a signal')
    if (signal !== undefined && namesOf(signal).length === 0) refuse('signal', 'a `signal` without a name')
    return async (context) =>
      context.durable.signal(signal ?? context.step, {
        ...given({ timeout, take, payload }),
        ...given({ match: typeof match === 'function' ? await read(match as Reader, context) : match }),
      })
  },

  approval: (options) => async (context) => {
    const { otherwise = 'fail', rejected = 'fail' } = options
    const decision = await ask(options, context).catch((error: unknown) => {
      if (otherwise === 'skip' && hasCode(error, 'approval_expired'))
        throw new StepSkipped('its approval expired')
      throw error
    })
    if (decision.state === 'approved' || rejected === 'continue') return decision
    const reason = `it was rejected${decision.by.length > 0 ? ` by ${decision.by.join(', ')}` : ''}${decision.comment === null ? '' : `: ${decision.comment}`}`
    if (rejected === 'skip') throw new StepSkipped(reason)
    throw new MillraceError('approval_rejected', `The approval '${context.step}' failed: ${reason}.`, {
      fields: { step: context.step, by: decision.by },
    })
  },

  call: ({ pipeline, input, ...options }, refuse) => {
    if (typeof pipeline !== 'string' && !isPipelineLike(pipeline))
      return refuse('pipeline', 'a `pipeline` that is neither a pipeline nor the name of one')
    if (input === undefined) return refuse('input', 'no `input`')
    const { detached, priority, headers, tenant } = options
    return async (context) =>
      context.durable.call(
        pipeline,
        await read(input, context),
        given({ detached, priority, headers, tenant }),
      )
  },

  http: ({ url, timeout, secret, headers, body }, refuse) => {
    if (url === undefined || !URL.canParse(url)) return refuse('url', 'no `url` that can be read')
    if (secret === undefined || secret === '')
      return refuse('secret', 'no `secret`: the environment variable that holds it')
    if (timeout === undefined) return refuse('timeout', 'no `timeout`: how long the answer may take')
    durationMs(timeout, 'The timeout of an http step')
    return async (context) =>
      context.durable.http({
        url,
        timeout,
        secret,
        ...given({ headers }),
        body: body === undefined ? context.input : await read(body, context),
      })
  },

  sql: ({ function: name, input }, refuse) => {
    if (name === undefined) return refuse('function', 'no `function`')
    return async (context) =>
      callFunction(
        clientCaller(context.tx!),
        name,
        input === undefined ? context.input : await read(input, context),
      )
  },
}

function ask(options: BroughtWritten, context: HandlerContext): Promise<Decision> {
  const { title, data, roles, people, quorum, form, remind, expires, otherwise } = options
  const asked = async () => {
    const said = typeof title === 'function' ? await read(title, context) : title
    return context.durable.approval(context.step, {
      title: typeof said === 'string' ? said : context.step,
      ...given({ roles, people, quorum, form, remind, expires }),
      ...given({ data: data === undefined ? undefined : await read(data, context) }),
      ...given({ otherwise: otherwise === 'skip' ? undefined : otherwise }),
    })
  }
  return asked()
}

function read(reader: Reader, context: HandlerContext): unknown {
  return reader(context as never)
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof MillraceError && error.code === code
}

/** Without what is undefined: an option that is left out is not one that is undefined. */
function given<Options extends object>(
  options: Options,
): { [Name in keyof Options]?: Exclude<Options[Name], undefined> } {
  const kept = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(kept) as { [Name in keyof Options]?: Exclude<Options[Name], undefined> }
}

/** A date, or the text that its JSON form is. @throws MillraceError duration_invalid */
function dateOf(value: unknown): Date {
  const date = value instanceof Date ? value : new Date(String(value))
  if (!Number.isNaN(date.getTime())) return date
  throw new MillraceError('duration_invalid', `A sleep is until '${String(value)}', which is no date.`)
}

function namesOf(names: SignalNames): readonly string[] {
  return typeof names === 'string' ? [names] : names.any
}

function targetOf(kind: BroughtKind, options: BroughtWritten): string | undefined {
  switch (kind) {
    case 'sleep':
      return options.for === undefined ? undefined : String(options.for)
    case 'signal':
      return options.signal === undefined ? undefined : namesOf(options.signal).join(', ')
    case 'call':
      return typeof options.pipeline === 'string' ? options.pipeline : options.pipeline?.slug
    case 'sql':
      return options.function
    default:
      return undefined
  }
}
