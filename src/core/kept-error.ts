// An error that a handler got over: the form in which its checkpoint keeps it, and the error that it is made into again.
import {
  MillraceError,
  PermanentError,
  catalogue,
  type ErrorCode,
  storableText,
  toStepError,
} from './errors.ts'
import { checkJson } from './json.ts'

/** What is kept of something thrown; `value` where that was no error. */
export interface KeptError {
  readonly name: string
  readonly message: string
  readonly code?: string | number
  /** What the error carries besides, where JSON can keep it; of errors of Millrace their fields. */
  readonly data?: unknown
  /** Another attempt would fail alike. */
  readonly permanent?: true
  readonly stack?: string
  readonly value?: unknown
}

const dataBytesMax = 65_536
const nameMax = 100
const codeMax = 100
const messageMax = 4_000

/** Never throws itself: what can't be read or kept of it is left out. */
export function keepError(
  thrown: unknown,
  options: { readonly stack: boolean; readonly redact?: (text: string) => string },
): KeptError {
  const { message, retryable, stack } = toStepError(thrown, options)
  // Before anything is cut: half a secret would not be found any more.
  const { redact = (text: string) => text } = options
  try {
    if (!(thrown instanceof Error)) {
      const value = keepable(thrown)
      return { name: 'Error', message, ...(value !== undefined && { value }) }
    }
    const { code } = thrown as { code?: unknown }
    const data = keepable(thrown instanceof MillraceError ? thrown.fields : Reflect.get(thrown, 'data'))
    return {
      name: storableText(String(thrown.name), nameMax),
      // An error without a message says its name in the account of its step; here it stays without one.
      message: thrown.message === '' ? '' : storableText(redact(String(thrown.message)), messageMax),
      ...(typeof code === 'number' && Number.isFinite(code) && { code }),
      ...(typeof code === 'string' && { code: storableText(redact(code), codeMax) }),
      ...(data !== undefined && { data }),
      ...(!retryable && { permanent: true as const }),
      ...(stack !== undefined && { stack }),
    }
  } catch {
    return { name: 'Error', message }
  }
}

/** What is thrown in its place, the first time and ever after: the same in each attempt. */
export function restoreError(kept: KeptError, stack = kept.stack): unknown {
  if ('value' in kept) return kept.value
  const error = errorNamed(kept)
  if (kept.code !== undefined && !('code' in error)) Object.assign(error, { code: kept.code })
  if (kept.data !== undefined && !(error instanceof MillraceError)) Object.assign(error, { data: kept.data })
  if (error.name !== kept.name)
    Object.defineProperty(error, 'name', { value: kept.name, configurable: true, writable: true })
  Object.defineProperty(error, 'stack', {
    value: stack ?? `${kept.name}: ${kept.message}`,
    configurable: true,
    writable: true,
  })
  return error
}

const builtIn = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError }

function errorNamed({ name, message, code, data, permanent }: KeptError): Error {
  if (name === 'MillraceError' && typeof code === 'string' && Object.hasOwn(catalogue, code)) {
    return new MillraceError(code as ErrorCode, message, { fields: (data ?? {}) as Record<string, unknown> })
  }
  if (permanent) return new PermanentError(message, typeof code === 'string' ? { code } : {})
  return Object.hasOwn(builtIn, name)
    ? new builtIn[name as keyof typeof builtIn](message)
    : new Error(message)
}

function keepable(value: unknown): unknown {
  if (value === undefined) return undefined
  try {
    return JSON.parse(
      checkJson(value, { what: 'what an error carries', maxBytes: dataBytesMax, emptied: true }),
    )
  } catch {
    return undefined
  }
}
