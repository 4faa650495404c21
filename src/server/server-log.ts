// Owns what a line of the server's log is, and what it says of an error.
import { MillraceError } from '../core/errors.ts'
import { sqlState } from '../db/database-error.ts'
import { DeliveryFailed } from '../sdk/webhook-handler.ts'

/** A line of the server's log: an event by its name, and facts. Never a payload, a credential or the text of a database error. */
export type ServerLog = (entry: ServerLogEntry) => void

export interface ServerLogEntry {
  readonly level: 'info' | 'warn' | 'error'
  readonly event: string
  readonly [fact: string]: unknown
}

interface ErrorFacts {
  readonly error?: string
  readonly code: string | undefined
  readonly sql_state?: string
}

/** What PostgreSQL says of an error may quote a row or a statement: of that its state alone is told. */
export function errorFacts(thrown: unknown): ErrorFacts {
  const code = thrown instanceof MillraceError ? thrown.code : undefined
  const sql_state = sqlState(thrown)
  if (sql_state !== undefined) return { code, sql_state }
  return { error: thrown instanceof Error ? thrown.message : String(thrown), code }
}

interface DeliveryFacts {
  readonly delivery: string
  readonly webhook: string
  readonly reason: string
}

/** What somebody's map has thrown may quote the delivery: of that the reason alone is told. The delivery holds the rest. */
export function deliveryFacts(thrown: unknown): DeliveryFacts | ErrorFacts {
  if (!(thrown instanceof DeliveryFailed)) return errorFacts(thrown)
  return { delivery: thrown.delivery, webhook: thrown.webhook, reason: thrown.reason }
}

/** Where an error came up; its text, which stands before that, only where `errorFacts` tells it as well. */
export function stackOf(thrown: unknown): string | undefined {
  const stack = thrown instanceof Error ? thrown.stack : undefined
  if (sqlState(thrown) === undefined) return stack
  return stack
    ?.split('\n')
    .filter((line) => /^ +at /.test(line))
    .join('\n')
}
