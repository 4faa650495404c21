// How a statement reaches the database: one way for pools, single clients and the callers' own transactions.
import type pg from 'pg'
import { describeClient } from './connection.ts'
import { isConnectionLoss, translateDatabaseError } from './database-error.ts'
import { listText, parameterText, withTextParameters } from './parameter-text.ts'

/** A statement with the name under which a connection may prepare it. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/** Whatever can run our statements. */
export interface Caller {
  /**
   * Runs a statement and gives its rows.
   *
   * @throws MillraceError with the code of what our functions raised, or of the connection's failure
   */
  call<Row>(statement: Statement, values: readonly unknown[]): Promise<Row[]>
}

/** A caller's own connection or transaction: text and values in, rows out. Adapters for other drivers make one. */
export interface Transaction {
  query(text: string, values: unknown[]): Promise<{ rows: unknown[] }>
}

/** A transaction that is open already, as one in which runs can be started. */
export function transactionOf(caller: Caller): Transaction {
  return { query: async (text, values) => ({ rows: await caller.call({ name: '', text }, values) }) }
}

export interface CallerOptions {
  /** Prepare statements by name; PgBouncer's transaction mode can't. */
  readonly prepare: boolean
  /** Named in errors. */
  readonly database: string
}

/** Calls over a pool. */
export function poolCaller(pool: pg.Pool, options: CallerOptions): Caller {
  return {
    call: async <Row>(statement: Statement, values: readonly unknown[]) => {
      try {
        return (await pool.query(queryOf(statement, values, options.prepare))).rows as Row[]
      } catch (error) {
        throw translateDatabaseError(error, options.database)
      }
    },
  }
}

/** The same over connections that outlive what the server refuses, where a pool by itself closes them after any error. */
export function lastingCaller(pool: pg.Pool, options: CallerOptions): Caller {
  return {
    call: async <Row>(statement: Statement, values: readonly unknown[]) => {
      let client: pg.PoolClient | undefined
      let broken = false
      try {
        client = await pool.connect()
        return (await client.query(queryOf(statement, values, options.prepare))).rows as Row[]
      } catch (error) {
        broken = isConnectionLoss(error)
        throw translateDatabaseError(error, options.database)
      } finally {
        client?.release(broken)
      }
    },
  }
}

/** Calls over one client, inside whatever transaction it is in. */
export function clientCaller(client: pg.ClientBase, prepare = false): Caller {
  return {
    call: async <Row>(statement: Statement, values: readonly unknown[]) => {
      try {
        return (await client.query(queryOf(statement, values, prepare))).rows as Row[]
      } catch (error) {
        throw translateDatabaseError(error, describeClient(client))
      }
    },
  }
}

/**
 * Calls inside a caller's own transaction, whose driver we don't know: so every value goes as text, with a cast in the statement,
 * and rows are read whatever case a driver gives the names of columns.
 */
export function transactionCaller(transaction: Transaction): Caller {
  return {
    call: async <Row>(statement: Statement, values: readonly unknown[]) => {
      try {
        const { rows } = await transaction.query(
          withTextParameters(statement.text),
          values.map(parameterText),
        )
        return rows.map((row) => withSnakeNames(row as Record<string, unknown>)) as Row[]
      } catch (error) {
        throw translateDatabaseError(error, "the caller's transaction")
      }
    },
  }
}

function withSnakeNames(row: Record<string, unknown>): Record<string, unknown> {
  const named = Object.entries(row).map(([name, value]) => [snakeName(name), value] as const)
  return Object.fromEntries(named)
}

/** `runId`, `RunId` and `run-id` are run_id to us. */
function snakeName(name: string): string {
  return name
    .replaceAll(/(?<=[a-z])([A-Z])/g, '_$1')
    .replaceAll('-', '_')
    .toLowerCase()
}

function queryOf({ name, text }: Statement, given: readonly unknown[], prepare: boolean): pg.QueryConfig {
  // Of our own statements: whoever writes one gets what the driver makes of a list.
  const values =
    name === ''
      ? [...given]
      : given.map((value) => (Array.isArray(value) ? (listText(value) ?? value) : value))
  return prepare ? { name, text, values } : { text, values }
}
