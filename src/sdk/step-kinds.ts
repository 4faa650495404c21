// Owns the kinds of steps whose handler Millrace brings: the handler that each becomes, built on `durable`.
import { type Duration, durationMs } from '../core/duration.ts'
import { addressFault } from '../core/endpoint-address.ts'
import { MillraceError } from '../core/errors.ts'
import type { BroughtKind } from '../core/graph.ts'
import { clientCaller } from '../db/call.ts'
import { callFunction } from '../db/sql-function.ts'
import type { ApprovalEnd } from './brought-options.ts'
import type { HandlerContext } from './context.ts'
import type { Decision, SignalNames } from './durable.ts'
import { StepSkipped } from './step-skipped.ts'
import type { Schema } from './standard-schema.ts'
import { isPipelineLike, type Startable } from './startable.ts'
import { readsSteps } from './steps-read.ts'

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
      return async (context) => context.durable.sleepUntil(dateOf(await read(until, context), context))
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
    const fault = addressFault(url)
    if (url === undefined || fault !== undefined) return refuse('url', fault ?? 'no `url`')
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
function dateOf(value: unknown, { step }: HandlerContext): Date {
  const date = value instanceof Date ? value : new Date(String(value))
  if (!Number.isNaN(date.getTime())) return date
  throw new MillraceError(
    'duration_invalid',
    `Step '${step}' sleeps until '${String(value).slice(0, 100)}', which is no date: let its \`until\` give a Date, or the text that its JSON form is.`,
    { fields: { step } },
  )
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
