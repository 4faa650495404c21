// Owns how an error leaves the house: as problem details with a code and a correlation id. What has no status of its own says nothing of the inside.
import { catalogue, type ErrorCode, MillraceError } from '../core/errors.ts'
import { isAway } from '../db/database-error.ts'
import { type Problem, statusByCode } from '../api/problem.ts'
import { errorFacts, type ServerLog, stackOf } from './server-log.ts'

const failed = 'Something went wrong here. The log of the server holds it under the correlation id.'

/** The answer to an error, which is logged where it is the server's own. */
export function problemAnswer(thrown: unknown, correlationId: string, log: ServerLog): Response {
  const error = isOutOfReach(thrown) ? outOfReach(thrown, correlationId, log) : thrown
  const known = error instanceof MillraceError && statusByCode[error.code] !== undefined ? error : undefined
  if (known === undefined) {
    log({
      level: 'error',
      event: 'request.failed',
      correlation_id: correlationId,
      ...errorFacts(error),
      stack: stackOf(error),
    })
    return answer({
      type: 'urn:millrace:error:server_failed',
      title: catalogue.server_failed.cause,
      status: 500,
      detail: failed,
      code: 'server_failed',
      correlation_id: correlationId,
    })
  }
  const status = statusByCode[known.code]!
  return answer(
    {
      type: `urn:millrace:error:${known.code}`,
      title: catalogue[known.code].cause,
      status,
      detail: known.message,
      code: known.code,
      correlation_id: correlationId,
      ...(known.hint === undefined ? {} : { hint: known.hint }),
      ...(Object.keys(known.fields).length === 0 ? {} : { fields: known.fields }),
    },
    headersOf(known, status),
  )
}

/** Where it is down, full or read-only, and where it isn't the one that this package serves: asked again later, the same request may succeed. */
function isOutOfReach(error: unknown): boolean {
  return isAway(error) || (error instanceof MillraceError && outOfReachCodes.has(error.code))
}

const outOfReachCodes: ReadonlySet<ErrorCode> = new Set([
  'database_login_refused',
  'database_missing',
  'schema_missing',
  'schema_outdated',
  'schema_newer',
  'client_closed',
])
const retrySeconds = 5

/** What is told of it: neither its address nor what it said. */
function outOfReach(error: unknown, correlationId: string, log: ServerLog): MillraceError {
  log({ level: 'warn', event: 'database.away', correlation_id: correlationId, ...errorFacts(error) })
  return new MillraceError('server_unavailable', 'The database takes no such request at present.', {
    fields: { retry_after_seconds: retrySeconds },
  })
}

function headersOf(error: MillraceError, status: number): Record<string, string> {
  const { retry_after_seconds: seconds } = error.fields
  if (typeof seconds === 'number') return { 'retry-after': String(Math.max(1, Math.ceil(seconds))) }
  if (status === 401) return { 'www-authenticate': 'Bearer' }
  return {}
}

function answer(problem: Problem, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
  })
}
