// Owns the way of a request: its shape, who asks, whether they may, what it says, its handler, its answer. One order for all operations.
import { type Context, Hono } from 'hono'
import type { Actor } from '../api/access.ts'
import { MillraceError } from '../core/errors.ts'
import { withAgent } from './agent-request.ts'
import { authenticate, type Authenticator } from './authenticate.ts'
import type { Guard } from './guard.ts'
import { problemAnswer } from './problem-answer.ts'
import { invalid, perform } from './perform.ts'
import type { Origin } from './origin.ts'
import type { ServerRoom } from './room.ts'
import type { Route } from './route.ts'
import { readBody } from './body.ts'

export interface AppParts {
  readonly room: ServerRoom
  readonly routes: readonly Route[]
  readonly authenticators: readonly Authenticator[]
  /** Around every operation, the first outermost. */
  readonly guards: readonly Guard[]
  /** Where a request comes from, as far as the surroundings tell. */
  readonly origin: (request: Request) => Origin
  /** The path of a request below the address at which the app is mounted; all of it by default. */
  readonly pathOf?: (request: Request) => string
  /** Compare each answer with its schema: for tests, because it costs time. */
  readonly checkAnswers?: boolean
}

/** The API as a Hono app. */
export function createApp(parts: AppParts): Hono {
  const app = new Hono(parts.pathOf === undefined ? {} : { getPath: parts.pathOf })
  const routes = [...parts.routes].sort((one, other) => compare(orderOf(one), orderOf(other)))
  for (const one of routes)
    app.on(one.operation.method.toUpperCase(), hereOf(one), (context) => serve(parts, one, context))
  for (const path of new Set(routes.map(hereOf))) {
    const allowed = routes.filter((one) => hereOf(one) === path).map(({ operation }) => operation.method)
    app.all(path, (context) => refuseMethod(parts, context, allowed))
  }
  app.notFound((context) => {
    const origin = parts.origin(context.req.raw)
    return problemAnswer(
      new MillraceError('not_found', 'There is nothing at this address.'),
      origin.correlationId,
      parts.room.log,
    )
  })
  return app
}

function hereOf({ operation }: Route): string {
  return operation.path.replaceAll(/\{(\w+)\}/g, ':$1')
}

/** A name that a path spells out comes before a parameter that would take it for a value. */
function orderOf({ operation }: Route): string {
  return operation.path.replaceAll(/\{\w+\}/g, '~')
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}

function refuseMethod(parts: AppParts, { req }: Context, allowed: readonly string[]): Response {
  const allow = allowed.map((method) => method.toUpperCase()).join(', ')
  const response = problemAnswer(
    new MillraceError('method_not_allowed', `This address takes ${allow}.`, { fields: { allow } }),
    parts.origin(req.raw).correlationId,
    parts.room.log,
  )
  response.headers.set('allow', allow)
  return response
}

async function serve(parts: AppParts, one: Route, context: Context): Promise<Response> {
  const request = context.req.raw
  const origin = parts.origin(request)
  const began = performance.now()
  const response = await guarded(parts, one, context, origin).catch((error: unknown) =>
    problemAnswer(error, origin.correlationId, parts.room.log),
  )
  // Nobody reads what follows the head: what would be streamed ends at once.
  if (request.method === 'HEAD') await response.body?.cancel()
  parts.room.metrics.countRequest(one.operation.name, response.status, (performance.now() - began) / 1_000)
  return response
}

async function guarded(parts: AppParts, one: Route, context: Context, origin: Origin): Promise<Response> {
  const request = context.req.raw
  const { access } = one.operation
  // A credential that is wrong is refused within the guards, which count it.
  const signingIn = authenticate(parts.authenticators, request, origin)
  const signedIn = await signingIn.catch(() => undefined)
  const subject = { operation: one.operation, request, origin, signedIn, room: parts.room }
  const run = parts.guards.reduceRight<() => Promise<Response>>(
    (next, guard) => () => guard(subject, next),
    async () => {
      await signingIn
      if (signedIn === undefined && access !== 'public')
        throw new MillraceError('not_signed_in', 'This takes a key, or somebody who is signed in.')
      return answered(parts, one, context, origin, signedIn?.actor ?? nobody)
    },
  )
  return run()
}

async function answered(
  parts: AppParts,
  one: Route,
  context: Context,
  origin: Origin,
  actor: Actor,
): Promise<Response> {
  const { operation } = one
  const request = context.req.raw
  const answer = await perform(parts.room, one, withAgent(actor, request), origin, {
    params: context.req.param(),
    query: queryOf(request),
    body: () => readBody(request, operation),
    ifRevision: operation.revised === true ? revisionOf(request) : undefined,
    idempotencyKey: request.headers.get('idempotency-key') ?? undefined,
    request,
    again: async () => (await authenticate(parts.authenticators, request, origin, true))?.actor,
  })
  if (answer instanceof Response) return answer
  if (operation.answer === undefined) return new Response(null, { status: operation.status })
  const text = JSON.stringify(answer)
  if (parts.checkAnswers === true) operation.answer.parse(JSON.parse(text))
  return new Response(text, {
    status: operation.status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  })
}

/** Who asks where nobody has to sign in. It may do nothing else. */
const nobody: Actor = {
  kind: 'key',
  id: 'nobody',
  name: 'nobody',
  role: 'viewer',
  scopes: [],
  tenant: null,
  pipelines: [],
  run: null,
  payloads: false,
}

/** Each name once: of two, proxies and servers might read different ones. */
function queryOf(request: Request): Record<string, string> {
  const query: Record<string, string> = {}
  if (!request.url.includes('?')) return query
  for (const [name, value] of new URL(request.url).searchParams) {
    if (Object.hasOwn(query, name)) throw invalid('query', `${name.slice(0, 50)} is given twice`)
    query[name] = value
  }
  return query
}

/** If-Match: "3" is revision 3; * is any. */
function revisionOf(request: Request): number | undefined {
  const text = request.headers.get('if-match')
  if (text === null || text === '*') return undefined
  const revision = /^"(\d{1,9})"$/.exec(text)?.[1]
  if (revision === undefined) throw invalid('header if-match', 'it takes one revision in quotes, such as "3"')
  return Number(revision)
}
