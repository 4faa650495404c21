// Owns what is done with a request once it is known who asks: whether they may, what it says, its handler. One way for HTTP, for tools of agents, and
// for what a person approved of theirs.
import { asksFirst } from '../api/agent-operations.ts'
import type { Actor } from '../api/access.ts'
import { MillraceError } from '../core/errors.ts'
import { formatPath } from '../core/json.ts'
import { askPerson } from './agent-request.ts'
import { authorize } from './authorize.ts'
import { performOnce } from './repeats.ts'
import { callerOf, type ServerRoom } from './room.ts'
import type { Origin } from './origin.ts'
import type { Call, Route } from './route.ts'

/** What a request says, before its shape is known. */
export interface Requested {
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  /** Read only where the operation takes one, and once it is clear that the actor may. */
  readonly body: () => Promise<unknown>
  readonly ifRevision: number | undefined
  readonly idempotencyKey: string | undefined
  readonly request: Request
  /** Whom the credential names now; as before unless told. */
  readonly again?: () => Promise<Actor | undefined>
}

/** What the handler answers, or a Response of its own. @throws MillraceError */
export async function perform(
  room: ServerRoom,
  { operation, handle }: Route,
  actor: Actor,
  origin: Origin,
  requested: Requested,
): Promise<unknown> {
  const params = checked(operation.params, requested.params, 'path')
  if (operation.access !== 'public')
    await authorize(operation.access, actor, (params ?? {}) as Record<string, unknown>, room.reads)
  const query = checked(operation.query, requested.query, 'query')
  const body = operation.body === undefined ? undefined : await requested.body()
  const call: Call = {
    params,
    query,
    body: operation.body === undefined ? undefined : checked(operation.body, body, 'body'),
    actor,
    within: { tenant: actor.tenant, pipelines: actor.pipelines },
    room,
    origin,
    caller: callerOf(room, actor, origin),
    ifRevision: operation.revised === true ? requested.ifRevision : undefined,
    idempotencyKey: requested.idempotencyKey,
    request: requested.request,
    again: requested.again ?? (() => Promise.resolve(actor)),
  }
  if (actor.agent !== 'asks' || !asksFirst(operation)) return performOnce(operation, call, handle)
  const asked = {
    params: requested.params,
    query: requested.query,
    body: body ?? null,
    if_revision: call.ifRevision ?? null,
    idempotency_key: call.idempotencyKey ?? null,
  }
  return performOnce(operation, call, (own) => askPerson(operation, own, asked))
}

function checked(
  schema: Route['operation']['body'],
  value: unknown,
  where: 'path' | 'query' | 'body',
): unknown {
  if (where !== 'body' && Object.values(value as object).some(holdsNul))
    throw invalid(where, 'it holds a NUL character')
  if (schema === undefined) {
    const names = where === 'query' ? Object.keys(value as object) : []
    if (names.length > 0) throw invalid(where, `there is no ${names[0]!.slice(0, 50)}`)
    return undefined
  }
  const { data, error } = schema.safeParse(value)
  if (error === undefined) return data
  for (const issue of error.issues)
    if (issue.code === 'too_big' && issue.origin === 'array') throw tooMany(issue)
  const problems = error.issues.slice(0, 10).map(({ path, message }) => {
    const place = formatPath(path.map((part) => (typeof part === 'number' ? part : String(part))))
    return place === '' ? message : `${place}: ${message}`
  })
  throw invalid(where, problems.join('; '))
}

/** A list that is longer than it may be is no wrong request, but one that is too large. */
function tooMany({
  path,
  maximum,
}: {
  readonly path: PropertyKey[]
  readonly maximum: number | bigint
}): MillraceError {
  const list = formatPath(path.map((part) => (typeof part === 'number' ? part : String(part))))
  return new MillraceError(
    'request_too_large',
    `The list ${list} is too long: it may have ${maximum} entries, and nothing was done.`,
    { fields: { list, maximum: Number(maximum) } },
  )
}

/** The database has no such character in a text. */
function holdsNul(value: unknown): boolean {
  return typeof value === 'string' && value.includes('\u0000')
}

/** What of a request has not the shape that it should have. */
export function invalid(where: string, problem: string): MillraceError {
  return new MillraceError('request_invalid', `The ${where} is not valid: ${problem}.`, {
    fields: { where, problem },
  })
}
