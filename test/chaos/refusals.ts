// Owns which errors a fault may honestly cause: whatever else the load meets is a fault of ours.
import { isAway, sqlState, translateDatabaseError } from '../../src/db/database-error.ts'
import { isUndoneByConflict } from '../../src/db/transaction.ts'

/** Beside a database that is away: a statement or a lock that took too long, and a disk that failed. */
const otherStates: ReadonlySet<string> = new Set(['57014', '55P03', '58030'])

/** What is refused by its status, with no error of the database's behind it. */
export class Refusal extends Error {}

/** Whether the server may refuse so because of a fault: the connection is lost, it has no room, takes no writes, or gave way to another. */
export function isRefusal(error: unknown): boolean {
  const told = translateDatabaseError(error, 'the chaos')
  return (
    told instanceof Refusal ||
    isAway(told) ||
    isUndoneByConflict(told) ||
    otherStates.has(sqlState(told) ?? '')
  )
}

/** What of a refusal is the same each time: the state of the server, or the code of the network. */
export function refusalCode(error: unknown): string {
  const told = translateDatabaseError(error, 'the chaos')
  const cause = told instanceof Error && told.cause instanceof Error ? told.cause : told
  const { code } = cause as { readonly code?: unknown }
  return sqlState(told) ?? (typeof code === 'string' ? code : storyOf(cause).split('\n')[0]!)
}

/** All that is known of an error that no fault explains. */
export function storyOf(error: unknown): string {
  const state = sqlState(error)
  const told = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return state === undefined ? told : `${told} (SQLSTATE ${state})`
}
