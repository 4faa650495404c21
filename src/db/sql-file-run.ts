// The running of one SQL file, and what a failure in it says.
import type pg from 'pg'
import { MillraceError } from '../core/errors.ts'
import { sqlState, translateDatabaseError } from './database-error.ts'
import { isConcurrentUpdate, isUndoneByConflict } from './transaction.ts'

export const LOCK_NOT_AVAILABLE = '55P03'

/** Whether another session was in the way, so that the same transaction may succeed when tried again. */
export function isWorthAnotherTry(error: unknown): boolean {
  return isUndoneByConflict(error) || isConcurrentUpdate(error) || sqlState(error) === LOCK_NOT_AVAILABLE
}

/**
 * Sends a text of one or more statements.
 *
 * @throws MillraceError migration_failed, naming the file and, where PostgreSQL tells it, the line
 */
export async function runFile(client: pg.ClientBase, file: string, text: string): Promise<void> {
  try {
    await client.query(text)
  } catch (error) {
    throw fileFailed(file, text, error)
  }
}

function fileFailed(file: string, text: string, error: unknown): unknown {
  if (!isOwnFailure(error)) return error
  const position = 'position' in error ? Number(error.position) : Number.NaN
  const line = Number.isNaN(position) ? undefined : text.slice(0, position).split('\n').length
  const place = line === undefined ? file : `${file}, line ${line}`
  return new MillraceError(
    'migration_failed',
    `The SQL file ${place} failed: ${error.message}. Nothing of it was kept.`,
    {
      fields: { file, line, sqlState: sqlState(error) },
      hint:
        sqlState(error) === '42P13'
          ? 'A changed signature needs a `drop function` with the old arguments in a new migration.'
          : 'Correct the file and migrate again.',
      cause: error,
    },
  )
}

// Conflicts are tried again, and lost connections and missing rights have sentences of their own.
function isOwnFailure(error: unknown): error is Error {
  if (!(error instanceof Error) || isWorthAnotherTry(error)) return false
  return translateDatabaseError(error, '') === error && sqlState(error) !== undefined
}
