// One transaction on one connection, and its repetition where PostgreSQL itself asks for it.
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { MillraceError } from '../core/errors.ts'
import { sqlState, translateDatabaseError } from './database-error.ts'

/**
 * Runs `work` between begin and commit; any error rolls back and is passed on.
 *
 * @throws MillraceError transaction_lost when `work` swallowed an error of a statement, so that PostgreSQL
 *   answered the commit with a rollback
 */
export async function inTransaction<T>(
  client: pg.ClientBase,
  work: () => Promise<T>,
  begin = 'begin isolation level read committed',
): Promise<T> {
  try {
    // More than one statement, it may be: one that fails leaves the transaction begun.
    await client.query(begin)
    const result = await work()
    const { command } = await client.query('commit')
    if (command !== 'COMMIT') throw transactionLost()
    return result
  } catch (error) {
    // A broken connection cannot roll back, and need not: its server does.
    await client.query('rollback').catch(() => {})
    throw error
  }
}

/**
 * The same on a connection of a pool.
 *
 * @param database named in errors
 */
export async function inPoolTransaction<T>(
  pool: pg.Pool,
  database: string,
  work: (client: pg.PoolClient) => Promise<T>,
  begin?: string,
): Promise<T> {
  let client: pg.PoolClient | undefined
  let broken = true
  try {
    client = await pool.connect()
    const own = client
    const result = await inTransaction(own, () => work(own), begin)
    broken = false
    return result
  } catch (error) {
    const told = translateDatabaseError(error, database)
    const isLost = told instanceof MillraceError && told.code === 'database_unreachable'
    // What could not be rolled back would be the transaction of whoever gets the connection next.
    broken = isLost || client === undefined || !isAtRest(client)
    throw told
  } finally {
    client?.release(broken)
  }
}

/** Whether the server said last that no transaction is open on this connection. */
export function isAtRest(client: pg.ClientBase): boolean {
  return client.getTransactionStatus() === 'I'
}

/** What a commit that PostgreSQL answered with a rollback means. */
export function transactionLost(): MillraceError {
  return new MillraceError(
    'transaction_lost',
    'The transaction was rolled back at commit, because one of its statements had failed.',
    { hint: 'Let the error of a failed statement leave the transaction instead of catching it inside.' },
  )
}

/**
 * Begins the transaction of a step. Its own bound holds for its statements and for the time between them, and the server looks
 * now and then whether the worker still lives, so that what a dead worker began ends. What it changes in watched tables is known by its run.
 */
export async function beginAttempt(
  client: pg.ClientBase,
  timeoutMs: number,
  mark: string,
  origin: string,
): Promise<void> {
  await beginWriting(client)
  await client.query(
    `select set_config('statement_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $1, true),
       set_config('client_connection_check_interval', '5s', true), set_config('millrace.attempt', $2, true), set_config('millrace.origin', $3, true)`,
    [String(Math.min(Math.trunc(timeoutMs), 2_147_483_647)), mark, origin],
  )
}

/**
 * Of a transaction whose statements follow each other at once: one that is idle for so long was cut off. Something in between that keeps the
 * server's connection alive would leave what it has locked, a schedule for instance, locked for everybody.
 */
export const endsIdle = "set local idle_in_transaction_session_timeout = '5s'"

/**
 * Begins a transaction that may write, whatever the connection's default is.
 *
 * @param origin the run whose step it is of, which goes with the statement that begins it
 * @throws MillraceError database_read_only
 */
export async function beginWriting(client: pg.ClientBase, origin?: string): Promise<void> {
  const told =
    origin !== undefined && /^[0-9a-f-]{36}$/.test(origin) ? `; set local millrace.origin = '${origin}'` : ''
  await client
    .query(`begin isolation level read committed read write; ${endsIdle}${told}`)
    .catch((error: unknown) => {
      // A standby knows no such transactions: it says that in its own words.
      if (sqlState(error) !== '0A000') throw error
      throw new MillraceError('database_read_only', 'The server takes no writes: it is a standby.', {
        cause: error,
      })
    })
}

/**
 * At the end of its handler: whether this is still the transaction that beginAttempt began. Its mark ends with it. A handler can hide
 * a commit behind another statement; what it committed so can't be undone, but it isn't taken for exactly once either.
 *
 * From here on its statements follow each other at once, so the server ends it where the next is long in coming: while it lasts its
 * worker can't be swept, and nothing is taken back of all that a silent worker holds. Who is silent for less than its lease loses nothing.
 */
export async function endsSameTransaction(
  client: pg.ClientBase,
  mark: string,
  leaseSeconds: number,
): Promise<boolean> {
  const { rows } = await client.query<{ mark: string | null }>(
    `select current_setting('millrace.attempt', true) as mark, set_config('idle_in_transaction_session_timeout', $1, true)`,
    [`${leaseSeconds}s`],
  )
  return rows[0]?.mark === mark
}

/** @throws MillraceError transaction_lost where a handler swallowed the error of a statement */
export async function commitAttempt(client: pg.ClientBase): Promise<void> {
  const { command } = await client.query('commit')
  if (command !== 'COMMIT') throw transactionLost()
}

/** Undoes the transaction; a connection that broke needs no undoing. */
export async function rollBackAttempt(client: pg.ClientBase): Promise<void> {
  await client.query('rollback').catch(() => {})
}

export interface RetryOptions {
  /** Tries in all, the first included. Default 5. */
  attempts?: number
  /** Mean milliseconds before the second try; doubled for each further one. Default 50. */
  delayMs?: number
  /** A draw from [0, 1). */
  random?: () => number
  wait?: (ms: number) => Promise<unknown>
}

const DELAY_MS_MAX = 5_000

/**
 * Repeats a whole transaction after a serialization failure (40001) or a deadlock (40P01), with jitter, since
 * PostgreSQL undid it completely. Nothing else is repeated: a cancelled statement (57014) was somebody's wish,
 * and after a lost connection nobody knows whether the commit went through.
 */
export function retryTransaction<T>(transaction: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  return retryWhen(isUndoneByConflict, transaction, options)
}

/** Whether PostgreSQL undid the transaction for another one's sake. */
export function isUndoneByConflict(error: unknown): boolean {
  const state = sqlState(error)
  return state === '40001' || state === '40P01'
}

/** Two sessions changed one catalog row; PostgreSQL reports it as an internal error, though a new try succeeds. */
export function isConcurrentUpdate(error: unknown): boolean {
  return sqlState(error) === 'XX000' && /tuple concurrently (updated|deleted)/.test(String(error))
}

/** Repeats `work` while `isRetryable` says so of its error and tries are left; the last error is passed on. */
export async function retryWhen<T>(
  isRetryable: (error: unknown) => boolean,
  work: () => Promise<T>,
  { attempts = 5, delayMs = 50, random = Math.random, wait = sleep }: RetryOptions = {},
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt >= attempts || !isRetryable(error)) throw error
      // Uniform from 0 to twice the mean: callers that met once should not meet again.
      await wait(Math.min(random() * 2 * delayMs * 2 ** (attempt - 1), DELAY_MS_MAX))
    }
  }
}
