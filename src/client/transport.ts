// Owns the way of a request to the server and back: how long it may take, and what is sent again where nothing, or no answer yet, came of it.
import { MillraceError } from '../core/errors.ts'
import { errorOf, retrySeconds } from './answer-error.ts'
import type { Sendable } from './request.ts'

export interface TransportOptions {
  readonly fetch: typeof fetch
  /** How often a request is sent again at most. */
  readonly retriesMax: number
  /** Before the first time; each further one waits twice as long. */
  readonly retryDelayMs: number
  /** For the beginning of an answer. */
  readonly timeoutMs: number
}

/** The longest that Retry-After is waited for: who is told to come back later than that hears so instead. */
const retryAfterSecondsMax = 30

interface Way<T> {
  /** Whether the request has its effect once, however often it is sent. */
  readonly safe: boolean
  readonly signal: AbortSignal | undefined
  /** Whether an answer that is none by its status is one all the same. */
  readonly takes?: (response: Response) => boolean
  /** Whether the body is read by the caller, later on: the signal ends that as well. */
  readonly isReadLater?: boolean
  /** Reads what came: as long as that takes, the time for an answer runs. */
  readonly read: (response: Response) => Promise<T> | T
}

/**
 * Sends a request, again where that is safe, and gives what was read of the answer.
 *
 * @throws MillraceError with the code of the answer; server_unreachable
 */
export async function send<T>(options: TransportOptions, request: Sendable, way: Way<T>): Promise<T> {
  for (let retry = 0; ; retry++) {
    const sent = await attempt(options, request, way)
    if ('value' in sent) return sent.value
    const waitMs =
      retry < options.retriesMax ? waitOf(sent, way.safe, options.retryDelayMs * 2 ** retry) : undefined
    if (waitMs === undefined) throw sent.error
    await sleep(waitMs, way.signal)
  }
}

interface Failed {
  readonly error: MillraceError
  /** Undefined where nothing was answered. */
  readonly answered: { readonly status: number; readonly headers: Headers } | undefined
}

/** How long until it is worth another try; undefined: it would end alike, or might have its effect twice. */
export function waitOf({ answered }: Failed, safe: boolean, delayMs: number): number | undefined {
  if (answered === undefined) return safe ? delayMs : undefined
  const { status, headers } = answered
  const seconds = retrySeconds(headers)
  if (seconds !== undefined && seconds > retryAfterSecondsMax) return undefined
  const waitMs = Math.max(delayMs, (seconds ?? 0) * 1_000)
  // Refused before anything was done of it.
  if (status === 429) return waitMs
  // The same call is under way.
  if (status === 409) return safe && seconds !== undefined ? waitMs : undefined
  return safe && (status === 502 || status === 503 || status === 504) ? waitMs : undefined
}

/** Sends it once. Throws what the signal was aborted with, and nothing else. */
export async function attempt<T>(
  { fetch, timeoutMs }: Pick<TransportOptions, 'fetch' | 'timeoutMs'>,
  { url, ...request }: Sendable,
  { signal, read, takes, isReadLater = false }: Omit<Way<T>, 'safe'>,
): Promise<{ readonly value: T } | Failed> {
  signal?.throwIfAborted()
  const ended = new AbortController()
  const end = (): void => ended.abort(signal?.reason)
  signal?.addEventListener('abort', end, { once: true })
  const all = isReadLater && signal !== undefined ? AbortSignal.any([signal, ended.signal]) : ended.signal
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    ended.abort()
  }, timeoutMs)
  try {
    // Followed by hand: a key is shown to nobody but the server that it is for.
    const response = await fetch(url, { ...request, redirect: 'manual', signal: all })
    if (response.ok || takes?.(response) === true) return { value: await read(response) }
    const { status, headers } = response
    return { error: await errorOf(response, url), answered: { status, headers } }
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof MillraceError) return { error, answered: { status: 200, headers: new Headers() } }
    return {
      error: unreachable(
        url,
        isLate ? `it did not answer within ${timeoutMs / 1_000} s` : reasonOf(error),
        error,
      ),
      answered: undefined,
    }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', end)
  }
}

/** The error where nothing was answered. */
export function unreachable(url: string, why: string, cause?: unknown): MillraceError {
  const { origin } = new URL(url)
  return new MillraceError('server_unreachable', `${origin} cannot be reached: ${why}.`, {
    fields: { url: origin },
    cause,
  })
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: unknown; cause?: { message?: unknown; code?: unknown } }
  const [told] = [cause?.message, cause?.code, message].filter(
    (text): text is string => typeof text === 'string' && text !== '',
  )
  return (told ?? 'the request failed').replace(/\.$/, '')
}

export async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end)
      resolve()
    }, ms)
    signal?.addEventListener('abort', end, { once: true })
  })
}
