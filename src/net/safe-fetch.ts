// The only way out to addresses that users give: one request, to a checked address, bounded in size and time, following nothing.
import { lookup as systemLookup } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import { Agent, buildConnector, type Dispatcher, request } from 'undici'
import { MillraceError } from '../core/errors.ts'
import { type AllowedTargets, checkTarget, hostOf, mayReach, targetRefused } from './target.ts'

export interface SafeFetchOptions {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** From the look-up of the name to the last byte, in milliseconds: 3,000 unless told. */
  readonly timeoutMs?: number
  /** Of the answer's body: 1,000,000 unless told. */
  readonly maxBytes?: number
  /** Answers once the head has come, and never reads the body: for those who only need the status. */
  readonly ignoreBody?: boolean
  readonly allow?: AllowedTargets
  readonly signal?: AbortSignal
  /** How names are resolved: by the system unless told. */
  readonly resolve?: ResolveName
}

type ResolveName = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>

export interface SafeAnswer {
  readonly status: number
  /** Names in lower case; what came several times is joined by commas. */
  readonly headers: Readonly<Record<string, string>>
  /** As it was sent: nothing is decompressed, and nothing compressed was asked for. */
  readonly body: Uint8Array
}

/** Whatever sends a request in this way: safeFetch, or what stands in for it. */
export type SafeFetch = (given: string | URL, options: SafeFetchOptions) => Promise<SafeAnswer>

const timeoutMsDefault = 3_000
const bytesMaxDefault = 1_000_000

/**
 * Sends one request to an address that a user gave.
 *
 * https only, unless `allow` says otherwise; no address of the inside is connected to, whether it is written in the URL or comes
 * from a name: the address that was checked is the one that is connected to, so a second answer of a name server
 * changes nothing. A redirect is an answer like any other (OWASP, Server-Side Request Forgery Prevention): it is never followed.
 * Errors name the host alone: paths of hooks are secrets.
 *
 * @throws MillraceError target_refused, fetch_failed, fetch_timeout, answer_too_large
 */
export async function safeFetch(given: string | URL, options: SafeFetchOptions = {}): Promise<SafeAnswer> {
  const { allow = [], timeoutMs = timeoutMsDefault, signal } = options
  const url = checkTarget(given, allow)
  if (Object.keys(options.headers ?? {}).some((name) => name.toLowerCase() === 'host'))
    throw targetRefused(url, 'header')
  signal?.throwIfAborted()
  const end = new AbortController()
  const stop = (): void => end.abort()
  signal?.addEventListener('abort', stop)
  const timer = setTimeout(stop, timeoutMs)
  const agent = checkedAgent(url, options)
  try {
    return await answerOf(url, options, { agent, signal: end.signal })
  } catch (error) {
    if (error instanceof MillraceError) throw error
    signal?.throwIfAborted()
    throw end.signal.aborted ? tookTooLong(url, timeoutMs) : failed(url, error)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
    // Not waited for: what is still on its way belongs to somebody who may send for ever.
    void agent.destroy().catch(() => {})
  }
}

/** An agent for one request: it is never asked for a connection that an earlier check let through. */
function checkedAgent(
  url: URL,
  { allow = [], resolve = resolveBySystem, timeoutMs }: SafeFetchOptions,
): Agent {
  const lookup: LookupFunction = (_host, { all }, answer) => {
    resolve(hostOf(url)).then(
      (found) => {
        const [first] = found
        // One address of the inside among public ones is a trap or a mistake: neither is to be called.
        if (first === undefined) answer(new NameError('ENOTFOUND'), '')
        else if (!found.every(({ address }) => mayReach(url, address, allow)))
          answer(targetRefused(url, 'address'), '')
        else if (all === true) answer(null, [...found])
        else answer(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => answer(error, ''),
    )
  }
  const connect = buildConnector({ lookup, timeout: timeoutMs ?? timeoutMsDefault })
  return new Agent({
    connect: (given, connected) => {
      const host = hostOf(url)
      // Nothing looks up an address that is written out.
      if (isIP(host) !== 0 && !mayReach(url, host, allow))
        return connected(targetRefused(url, 'address'), null)
      connect(given, (...[error, socket]) => {
        if (error !== null || socket === null) return connected(error ?? new NameError('ECONNRESET'), null)
        const { remoteAddress } = socket
        if (remoteAddress !== undefined && mayReach(url, remoteAddress, allow)) return connected(null, socket)
        socket.destroy()
        // Of one that was reset at once the system doesn't say where it led to.
        const isReset = remoteAddress === undefined
        connected(isReset ? new NameError('ECONNRESET') : targetRefused(url, 'address'), null)
      })
    },
  })
}

async function resolveBySystem(host: string): ReturnType<ResolveName> {
  return await systemLookup(host, { all: true })
}

class NameError extends Error {
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

async function answerOf(
  url: URL,
  options: SafeFetchOptions,
  { agent, signal }: { readonly agent: Agent; readonly signal: AbortSignal },
): Promise<SafeAnswer> {
  const { method = 'GET', headers = {}, body, maxBytes = bytesMaxDefault, ignoreBody = false } = options
  const answer = await request(url, {
    method,
    headers: { 'accept-encoding': 'identity', ...headers },
    ...(body === undefined ? {} : { body }),
    dispatcher: agent,
    signal,
    // One limit bounds all of it.
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  // An aborted body says so once more, when nobody reads it any longer.
  answer.body.on('error', () => {})
  return {
    status: answer.statusCode,
    headers: joined(answer.headers),
    body: ignoreBody ? new Uint8Array() : await read(url, answer.body, maxBytes),
  }
}

async function read(url: URL, body: Dispatcher.ResponseData['body'], maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of body as AsyncIterable<Uint8Array>) {
    bytes += part.length
    if (bytes > maxBytes) {
      throw new MillraceError(
        'answer_too_large',
        `The answer of ${url.host} is larger than ${maxBytes} bytes.`,
        {
          fields: { host: url.host, limit: maxBytes },
        },
      )
    }
    parts.push(part)
  }
  return new Uint8Array(Buffer.concat(parts))
}

function joined(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, [value].flat().join(', ')]],
    ),
  )
}

function tookTooLong(url: URL, timeoutMs: number): MillraceError {
  return new MillraceError('fetch_timeout', `${url.host} gave no whole answer within ${timeoutMs} ms.`, {
    fields: { host: url.host, timeout_ms: timeoutMs },
  })
}

/** The system's code says enough; its sentence may hold an address, and is left out with its error. */
function failed(url: URL, error: unknown): MillraceError {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined
  const reason = typeof code === 'string' && /^[A-Z0-9_]{1,60}$/.test(code) ? code : 'unknown'
  return new MillraceError('fetch_failed', `${url.host} could not be called: ${reason}.`, {
    fields: { host: url.host, reason },
  })
}
