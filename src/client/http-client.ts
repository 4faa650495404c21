// Owns the client over HTTP: each operation of the API as a function of its name.
import type { AskedAnswer } from '../api/agent-requests.ts'
import type { operations } from '../api/catalogue.ts'
import { MillraceError } from '../core/errors.ts'
import { createRunIds } from '../core/uuid.ts'
import type { AnyCall, Verb } from './call.ts'
import { follow } from './events.ts'
import { sendableOf } from './request.ts'
import { type ClientRoute, clientRoutes } from './routes.ts'
import type { ServerEvent } from './server-event.ts'
import { send, type TransportOptions } from './transport.ts'

export interface HttpOptions {
  /** Where the API is: https://millrace.example.org, with the path below which it is mounted. */
  readonly url: string
  /** A key, or a token for one run. Without one, whoever is signed in where the page is served counts. */
  readonly key?: string | undefined
  /** How a request is sent: the platform's own unless told. */
  readonly fetch?: typeof fetch
  /** How often a call is sent again where that is safe and nothing came of it. 3 by default; 0 never. */
  readonly retriesMax?: number
  /** Before the first time that it is sent again; then twice as long each time. 250 by default. */
  readonly retryDelayMs?: number
  /** For an answer, but for event streams. 90,000 by default: waiting for a result takes up to a minute. */
  readonly timeoutMs?: number
}

/** Each operation by its name. */
export type HttpClient = { readonly [Name in keyof typeof operations]: Verb<(typeof operations)[Name]> }

/**
 * A client over HTTP. It needs nothing but fetch: it works in browsers, in edge functions and in Node.
 *
 * @throws MillraceError argument_invalid for an address that is none; calls throw the server's errors by their codes, and server_unreachable
 */
export function connectHttp(options: HttpOptions): HttpClient {
  const session = openSession(options)
  const verbs = clientRoutes.map((route) => [route.name, verbOf(session, route)])
  return Object.fromEntries(verbs) as HttpClient
}

interface HttpSession {
  readonly base: URL
  readonly headers: Readonly<Record<string, string>>
  readonly transport: TransportOptions
  /** Ids that nobody else makes. */
  readonly newId: () => string
}

function openSession(options: HttpOptions): HttpSession {
  const { key, retriesMax = 3, retryDelayMs = 250, timeoutMs = 90_000 } = options
  return {
    base: baseOf(options.url),
    headers: key === undefined ? {} : { authorization: `Bearer ${checkKey(key)}` },
    transport: {
      // Called as a function of its own: a browser's fetch takes no other this.
      fetch: options.fetch ?? ((request, init) => fetch(request, init)),
      retriesMax,
      retryDelayMs,
      timeoutMs,
    },
    newId: createRunIds({ now: Date.now, random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)) }),
  }
}

// A platform that refuses a header tells what is in it.
function checkKey(key: string): string {
  if (/^[\x21-\x7e]+$/.test(key)) return key
  throw new MillraceError('argument_invalid', 'The key holds a character that no key has.')
}

/** @throws MillraceError argument_invalid */
export function baseOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '') {
    if (url.username === '' && url.password === '') return url
    throw new MillraceError(
      'argument_invalid',
      'The address of a server holds a user or a password: it takes a key.',
    )
  }
  throw new MillraceError('argument_invalid', `'${text.slice(0, 100)}' is no address of a server.`, {
    hint: 'Give one like https://millrace.example.org.',
  })
}

function verbOf(session: HttpSession, route: ClientRoute): (call?: AnyCall) => unknown {
  if (route.media === 'text/event-stream') return (call = {}) => events(session, route, call)
  return (call = {}) => perform(session, route, call)
}

function events(
  { base, headers, transport }: HttpSession,
  route: ClientRoute,
  call: AnyCall,
): AsyncGenerator<ServerEvent, void, undefined> {
  const request = sendableOf({ base, headers }, route, call)
  return follow(transport, request, { lastEventId: call.lastEventId, signal: call.signal })
}

async function perform(session: HttpSession, route: ClientRoute, given: AnyCall): Promise<unknown> {
  const call = sentOnce(session, route, given)
  const { base, headers, transport } = session
  return send(transport, sendableOf({ base, headers }, route, call), {
    safe: isSafe(route, call),
    signal: call.signal,
    isReadLater: route.media !== undefined,
    takes: ({ status, headers }) =>
      route.isToldUnwell && status === 503 && headers.get('content-type') === 'application/json',
    read: (response) => read(route, response, base),
  })
}

/** A call that changes something carries what tells it from another one: so it can be sent again when its answer was lost. */
function sentOnce(
  { newId }: HttpSession,
  { name, method, seesToRepeats }: ClientRoute,
  call: AnyCall,
): AnyCall {
  if (method !== 'post') return call
  // A start is known by its id. An idempotency key of a start is the caller's alone.
  if (name === 'startRun') {
    const body = call.body as { readonly run?: string | undefined } | undefined
    // A field that is there and undefined is as if it were left out: it takes no other's place.
    return { ...call, body: { ...body, run: body?.run ?? newId() } }
  }
  return seesToRepeats ? call : { ...call, idempotencyKey: call.idempotencyKey ?? newId() }
}

function isSafe({ name, method, seesToRepeats }: ClientRoute, { ifRevision }: AnyCall): boolean {
  if (method === 'get' || name === 'startRun') return true
  if (method === 'post') return !seesToRepeats
  // Sent again, what had come through would be refused by the revision that it made itself, or as what is gone.
  return method === 'put' && ifRevision === undefined
}

async function read(route: ClientRoute, response: Response, base: URL): Promise<unknown> {
  if (route.media !== undefined) return response
  if ((!route.hasAnswer && response.status !== 202) || response.status === 204) {
    await response.body?.cancel()
    return undefined
  }
  const text = await response.text()
  if (text === '' && !route.hasAnswer) return undefined
  try {
    return refuseAsked(response.status, JSON.parse(text))
  } catch (error) {
    if (error instanceof MillraceError) throw error
    throw new MillraceError(
      'answer_invalid',
      `${base.origin} answered ${route.name} with something that is no JSON.`,
      {
        cause: error,
      },
    )
  }
}

/** An agent's key asks a person first, and nothing is done yet: whoever called has to know that. */
function refuseAsked(status: number, answer: unknown): unknown {
  const asked = (answer as Partial<AskedAnswer> | null)?.agent_request
  if (status !== 202 || asked === undefined) return answer
  const { id } = asked
  throw new MillraceError(
    'agent_request_open',
    `Nothing was done yet: a person is asked, as request ${id}.`,
    {
      fields: { agent_request: id },
      hint: `Once a person has approved it, it is done: npx millrace agent-request approve ${id}`,
    },
  )
}
