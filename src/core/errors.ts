// Owns the errors: the classes that carry the catalogue's codes, and the form in which a step's error is stored.

import { catalogue } from './error-catalogue.ts'
import type { CatalogueEntry } from './error-catalogue/entry.ts'

export { catalogue }

export type ErrorCode = keyof typeof catalogue

export interface ErrorDetails {
  /** The facts of the message, for programs. */
  readonly fields?: Readonly<Record<string, unknown>>
  /** What to do next, where the message does not say it. */
  readonly hint?: string | undefined
  readonly cause?: unknown
}

/** An error of Millrace itself: a stable code, the facts as fields, and a sentence for people. */
export class MillraceError extends Error {
  override readonly name = 'MillraceError'
  readonly code: ErrorCode
  readonly fields: Readonly<Record<string, unknown>>
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.fields = details.fields ?? {}
    this.hint = details.hint
  }
}

/** The catalogue's code for a SQLSTATE of class MR; undefined for all others. */
export function fromSqlState(sqlstate: string): ErrorCode | undefined {
  return codeBySqlState.get(sqlstate)
}

const entries: ReadonlyArray<readonly [string, CatalogueEntry]> = Object.entries(catalogue)

const codeBySqlState: ReadonlyMap<string, ErrorCode> = new Map(
  entries.flatMap(([code, { sqlstate }]) => (sqlstate === undefined ? [] : [[sqlstate, code as ErrorCode]])),
)

const permanentCodes: ReadonlySet<string> = new Set(
  entries.flatMap(([code, { permanent }]) => (permanent ? [code] : [])),
)

const permanentBrand = Symbol.for('millrace.permanent-error')

/** Thrown by a handler to say that another attempt would fail alike: the step fails at once, without a retry. */
export class PermanentError extends Error {
  override readonly name = 'PermanentError'
  readonly code: string
  // A brand instead of instanceof: the handler may have loaded another copy of this package.
  readonly [permanentBrand] = true

  constructor(message: string, details: { readonly code?: string; readonly cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = details.code ?? 'permanent'
  }
}

/** What an error that knows when to try again carries. A brand as well: the handler may have loaded another copy of this package. */
export const retryAfterBrand = Symbol.for('millrace.retry-after')

/** A step's error as it is stored and shown. */
export interface StepError {
  readonly code: string
  readonly message: string
  readonly retryable: boolean
  /** The classes that it is of, the nearest first, where they say more than the code. */
  readonly classes?: readonly string[]
  /** When it asks to be tried again; the database's clock is compared with it. */
  readonly retry_at?: string
  readonly retry_after_ms?: number
  readonly stack?: string
}

const messageLimit = 4_000
const codeLimit = 100
const stackLimit = 16_000

/** Turns whatever a handler threw into what is stored of it. Never throws itself, and returns only storable text. */
export function toStepError(
  thrown: unknown,
  options: {
    readonly stack?: boolean
    /** Takes out what must not be kept: before it is cut, since a part of that would not be found. */
    readonly redact?: (text: string) => string
  } = {},
): StepError {
  const { redact = (text: string) => text } = options
  try {
    const code = storableText(redact(codeOf(thrown)), codeLimit)
    const error = {
      code,
      message: storableText(redact(messageOf(thrown)), messageLimit),
      retryable: isRetryable(thrown),
      ...classesOf(thrown, code),
      ...(thrown as { readonly [retryAfterBrand]?: object } | null | undefined)?.[retryAfterBrand],
    }
    const stack = options.stack === true && thrown instanceof Error ? thrown.stack : undefined
    return stack === undefined ? error : { ...error, stack: storableText(redact(stack), stackLimit) }
  } catch {
    return { code: 'Error', message: 'The handler threw a value that cannot be read.', retryable: true }
  }
}

function codeOf(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return 'Error'
  const { code, name } = thrown as { code?: unknown; name?: unknown }
  if (typeof code === 'string' && code !== '') return code
  return typeof name === 'string' && name !== '' ? name : 'Error'
}

const plainClasses: ReadonlySet<string> = new Set([
  '',
  'Error',
  'MillraceError',
  'PermanentError',
  'RetryAfter',
])
const classesMax = 10

/** By class names: so that a policy for a class counts for what extends it, in whatever process it is read. */
function classesOf(thrown: unknown, code: string): { readonly classes?: readonly string[] } {
  if (!(thrown instanceof Error)) return {}
  const classes: string[] = []
  let prototype: unknown = Object.getPrototypeOf(thrown)
  while (prototype instanceof Error && classes.length < classesMax) {
    const { name } = prototype.constructor
    if (!plainClasses.has(name)) classes.push(storableText(name, codeLimit))
    prototype = Object.getPrototypeOf(prototype)
  }
  return classes.length === 0 || (classes.length === 1 && classes[0] === code) ? {} : { classes }
}

function messageOf(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return String(thrown)
  const { message, errors } = thrown as { message?: unknown; errors?: unknown }
  if (typeof message === 'string' && message !== '') return message
  // An AggregateError of the network stack has no message of its own.
  if (Array.isArray(errors) && errors.length > 0) return errors.slice(0, 10).map(messageOf).join('; ')
  return thrown instanceof Error ? thrown.name : (JSON.stringify(thrown) ?? 'an object')
}

function isRetryable(thrown: unknown): boolean {
  if (typeof thrown !== 'object' || thrown === null) return true
  if ((thrown as Record<symbol, unknown>)[permanentBrand] === true) return false
  return !(thrown instanceof MillraceError && permanentCodes.has(thrown.code))
}

/** Postgres stores neither NUL nor a lone surrogate; a cut through a pair would make one. */
export function storableText(text: string, limit: number): string {
  const cut = text.length > limit ? `${text.slice(0, limit - 1)}…` : text
  return cut.replaceAll('\u0000', '\ufffd').replaceAll(/\p{Surrogate}/gu, '\ufffd')
}
