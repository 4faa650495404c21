// Owns what holds for every request and every answer, whatever they are about: their bounds, who else's pages may ask, and what browsers may do with an answer.
import { MillraceError } from '../core/errors.ts'
import type { Origin } from './origin.ts'

export interface TransportSettings {
  /** Origins whose pages may ask, exactly as browsers write them. */
  readonly allowedOrigins: readonly string[]
  /** What a load balancer asks however busy the server is: who is told that it doesn't live ends it, with all that it has under way. */
  readonly isProbe: (request: Request) => boolean
  /** Browsers are told to come back over TLS alone. */
  readonly strict: boolean
}

/** Answers a request, and never rejects. */
export type Next = (request: Request, origin: Origin) => Promise<Response>
/** The answer to a request that is refused. */
export type Refuse = (error: MillraceError, origin: Origin) => Response

const addressLengthMax = 2_048
/** Requests that are being answered at the same time; what is streamed after its answer began doesn't count. */
const requestsMax = 2_000

/** Puts the bounds of transport around what answers. */
export function createTransport(settings: TransportSettings, next: Next, refuse: Refuse): Next {
  const allowed = new Set(settings.allowedOrigins)
  let underWay = 0
  const answer = async (request: Request, origin: Origin): Promise<Response> => {
    if (addressLength(request) > addressLengthMax)
      return refuse(
        new MillraceError('address_too_long', `The address is longer than ${addressLengthMax} characters.`),
        origin,
      )
    if (isPreflight(request)) return preflight(allowed, request, () => refuse(foreign(request), origin))
    if (settings.isProbe(request)) return next(request, origin)
    if (underWay >= requestsMax) return refuse(busy(), origin)
    underWay++
    try {
      return await next(request, origin)
    } finally {
      underWay--
    }
  }
  return async (request, origin) => {
    const response = await answer(request, origin)
    dress(response.headers, origin, settings)
    allowReading(response.headers, request, allowed)
    return response
  }
}

function addressLength({ url }: Request): number {
  const path = url.indexOf('/', url.indexOf('://') + 3)
  return path === -1 ? 0 : url.length - path
}

function isPreflight({ method, headers }: Request): boolean {
  return method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method')
}

function foreign({ headers }: Request): MillraceError {
  const origin = headers.get('origin')?.slice(0, 200)
  return new MillraceError(
    'not_allowed',
    `Pages of '${origin}' may not ask: add the origin to server.allowedOrigins, if they should.`,
    { fields: { origin } },
  )
}

function busy(): MillraceError {
  return new MillraceError('server_unavailable', 'Too many requests are under way.', {
    fields: { retry_after_seconds: 1 },
  })
}

const corsMethods = 'GET, POST, PUT, PATCH, DELETE'
const corsHeaders = 'authorization, content-type, idempotency-key, if-match, last-event-id'
const corsExposed = 'retry-after, etag, x-correlation-id, idempotency-replayed, millrace-key-warning'
const preflightSeconds = 600

/** Asked by a browser before it sends what a form could not. */
function preflight(allowed: ReadonlySet<string>, { headers }: Request, refuse: () => Response): Response {
  if (!allowed.has(headers.get('origin') ?? '')) return refuse()
  return new Response(null, {
    status: 204,
    headers: {
      'access-control-allow-methods': corsMethods,
      'access-control-allow-headers': corsHeaders,
      'access-control-max-age': String(preflightSeconds),
    },
  })
}

/**
 * Fetch standard, CORS protocol: an origin of the list is named, and everybody else gets no header at all. Never with credentials: pages elsewhere
 * ask with a key or a token, not with somebody's cookie.
 */
function allowReading(headers: Headers, request: Request, allowed: ReadonlySet<string>): void {
  if (allowed.size === 0) return
  headers.append('vary', 'origin')
  const origin = request.headers.get('origin')
  if (origin === null || !allowed.has(origin)) return
  headers.set('access-control-allow-origin', origin)
  headers.set('access-control-expose-headers', corsExposed)
}

/** What an answer of the API may do in a browser: nothing. A page says by itself what it needs. */
const contentPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

function dress(headers: Headers, { correlationId }: Origin, { strict }: TransportSettings): void {
  headers.set('x-correlation-id', correlationId)
  headers.set('x-content-type-options', 'nosniff')
  headers.set('x-frame-options', 'DENY')
  headers.set('referrer-policy', 'no-referrer')
  headers.set('cross-origin-resource-policy', 'same-origin')
  headers.set('cross-origin-opener-policy', 'same-origin')
  if (!headers.has('content-security-policy')) headers.set('content-security-policy', contentPolicy)
  if (strict) headers.set('strict-transport-security', 'max-age=31536000')
}
