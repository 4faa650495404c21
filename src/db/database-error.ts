// What PostgreSQL and the network report, told as Millrace's errors; nothing here ever repeats a password.
import type pg from 'pg'
import { type ErrorCode, fromSqlState, MillraceError } from '../core/errors.ts'

/** The SQLSTATE behind an error, looked for through its causes; undefined when PostgreSQL did not raise it. */
export function sqlState(error: unknown): string | undefined {
  return reportedError(error)?.code
}

// Known by its severity, not by its class: a caller's transaction may belong to another driver, or to another copy
// of ours, and query builders wrap what their driver raised. Prisma hands it on as a plain object.
function reportedError(error: unknown): pg.DatabaseError | undefined {
  for (let current = error; typeof current === 'object' && current !== null; current = wrappedIn(current)) {
    if ('severity' in current && 'code' in current) return current as pg.DatabaseError
  }
  return undefined
}

function wrappedIn(error: { cause?: unknown; meta?: { driverAdapterError?: unknown } }): unknown {
  return error.cause ?? error.meta?.driverAdapterError
}

/**
 * Turns what our SQL functions raise (SQLSTATE class MR), and the failures every caller meets (no server, wrong
 * login, no such database, no free connection, no rights, a read-only server), into a MillraceError; anything
 * else comes back as it was.
 */
export function translateDatabaseError(error: unknown, database: string): unknown {
  if (error instanceof MillraceError || !(error instanceof Error)) return error
  const reported = reportedError(error)
  const state = reported?.code
  const raised = state === undefined ? undefined : fromSqlState(state)
  if (reported !== undefined && raised !== undefined) return raisedError(raised, reported)
  const found = FAILURES.find((failure) => failure.matches(error, state))
  if (found === undefined) return error
  return new MillraceError(found.code, found.sentence(database, firstLine(error)), {
    fields: { database, sqlState: state },
    hint: found.hint,
    cause: error,
  })
}

function raisedError(code: ErrorCode, error: pg.DatabaseError): MillraceError {
  return new MillraceError(code, error.message, {
    fields: { ...toldFields(error.detail), detail: error.detail },
    hint: error.hint,
    cause: error,
  })
}

/** What our functions say of the facts: a JSON object as the detail of the error. */
function toldFields(detail: string | undefined): Record<string, unknown> {
  if (detail === undefined || !detail.startsWith('{')) return {}
  try {
    return JSON.parse(detail) as Record<string, unknown>
  } catch {
    return {}
  }
}

interface Failure {
  code: ErrorCode
  matches: (error: Error, state: string | undefined) => boolean
  sentence: (database: string, reported: string) => string
  hint: string
}

const FAILURES: Failure[] = [
  {
    code: 'database_login_refused',
    // The driver says it, since it was asked for a password and has none.
    matches: ({ message }) => /client password must be a/.test(message),
    sentence: (database) => `PostgreSQL at ${database} asks for a password, and none was given.`,
    hint: 'Write it into the connection string, or set PGPASSWORD.',
  },
  {
    code: 'database_login_refused',
    matches: (_, state) => state?.startsWith('28') ?? false,
    sentence: (database, reported) => `PostgreSQL at ${database} refused the login: ${reported}.`,
    hint: 'Check the user and the password of the connection string.',
  },
  {
    code: 'database_missing',
    matches: (_, state) => state === '3D000',
    sentence: (database) => `PostgreSQL answers, but the database of ${database} does not exist.`,
    hint: 'Create it with `create database`, or correct the name in the connection string.',
  },
  {
    code: 'database_full',
    matches: (_, state) => state === '53300',
    sentence: (database) => `PostgreSQL at ${database} has no connection left.`,
    hint: 'Raise max_connections, use fewer workers, or connect through a pooler.',
  },
  {
    code: 'database_rights_missing',
    matches: (_, state) => state === '42501',
    sentence: (database, reported) => `This role may not do that at ${database}: ${reported}.`,
    hint: 'Connect as a role that holds the right, or let the owner grant it.',
  },
  {
    code: 'database_read_only',
    matches: (_, state) => state === '25006',
    sentence: (database) =>
      `PostgreSQL at ${database} is read-only at present (a standby, or a switched-over primary).`,
    hint: 'Connect to the primary.',
  },
  {
    code: 'database_unreachable',
    matches: (error, state) => isConnectionLoss(error, state),
    sentence: (database, reported) => `No connection to PostgreSQL at ${database}: ${reported}.`,
    hint: 'Check that the server runs, and the host, the port and the TLS settings of the connection string.',
  },
]

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT', // a Unix socket that is not there
  'EACCES',
])

// With these the server ends the session: it goes down, somebody ended it, or its transaction was idle for too long (see endsIdle).
const ENDS_SESSION = /^(57P0[1-5]|25P0[34])$/

// The driver raises these without a code of their own.
const DRIVER_MESSAGES =
  /connection terminated|timeout expired|timeout exceeded when trying to connect|not queryable|does not support SSL|connection error|query read timeout/i

/** Whether the connection itself is lost or was never made, so that a later try may succeed as it is. */
export function isConnectionLoss(error: unknown, state = sqlState(error)): boolean {
  if (!(error instanceof Error)) return false
  if (state !== undefined) return state.startsWith('08') || ENDS_SESSION.test(state) || isShut(error, state)
  return NETWORK_CODES.has(networkCode(error)) || DRIVER_MESSAGES.test(error.message)
}

/** Whether the call waited for longer than it may for what somebody's open transaction holds: nothing of it was done. */
export function isHeldUp(error: unknown): boolean {
  return sqlState(error) === '55P03'
}

/** A database that somebody has closed to connections lets nobody in for a while; the same state from elsewhere means something else. */
function isShut(error: Error, state: string): boolean {
  return state === '55000' && reportedError(error)?.routine === 'CheckMyDatabase'
}

/** Whether the database can't be reached or used at present, whatever was sent: out of disk, memory or connections, or read-only. */
export function isAway(error: unknown): boolean {
  if (error instanceof MillraceError && AWAY_CODES.has(error.code)) return true
  return sqlState(error)?.startsWith('53') ?? false
}

/** Whether what was sent is refused for what it says, by our functions or for its values, here or there: the same would be refused again. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof MillraceError) return !FAILURES.some(({ code }) => code === error.code)
  return /^2[23]/.test(sqlState(error) ?? '')
}

const AWAY_CODES: ReadonlySet<ErrorCode> = new Set([
  'database_unreachable',
  'database_full',
  'database_read_only',
])

// A name with several addresses fails with an AggregateError, whose own message is empty.
function networkCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

function firstLine(error: Error): string {
  const text = error.message.split('\n')[0]?.replace(/[.\s]+$/, '')
  return text === undefined || text === '' ? networkCode(error) : text
}
