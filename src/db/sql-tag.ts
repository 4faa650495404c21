// The `sql` tag of handlers: a query with each value as a parameter.
import type pg from 'pg'
import { type Caller, clientCaller, type Statement } from './call.ts'
import { translateDatabaseError } from './database-error.ts'
import { beginWriting, endsIdle, isAtRest, rollBackAttempt } from './transaction.ts'

/** A tagged template that runs its text with its values as parameters and gives the rows. */
export function taggedSql(caller: Caller) {
  return <Row = Record<string, unknown>>(
    text: TemplateStringsArray,
    ...values: readonly unknown[]
  ): Promise<Row[]> => {
    const query = text.reduce((query, part, index) => `${query}$${index}${part}`)
    return caller.call<Row>({ name: '', text: query }, values)
  }
}

/**
 * Runs each statement in a transaction of its own, which reads or writes whatever the connection does by default.
 *
 * @param database named in errors
 * @param origin the run whose step they are of
 */
export function eachInTransaction(
  pool: pg.Pool,
  access: 'read only' | 'read write',
  database: string,
  origin?: string,
): Caller {
  const begin = (client: pg.ClientBase) =>
    access === 'read write' ? beginWriting(client, origin) : beginReading(client)
  return {
    call: async <Row>(statement: Statement, values: readonly unknown[]) => {
      const client = await pool.connect().catch((error: unknown) => {
        throw translateDatabaseError(error, database)
      })
      let isWhole = false
      try {
        await begin(client)
        const rows = await clientCaller(client).call<Row>(statement, values)
        await client.query('commit')
        isWhole = true
        return rows
      } catch (error) {
        throw translateDatabaseError(error, database)
      } finally {
        if (!isWhole) await rollBackAttempt(client)
        // What could not be rolled back would be the transaction of whoever gets the connection next.
        client.release(!isAtRest(client))
      }
    },
  }
}

async function beginReading(client: pg.ClientBase): Promise<void> {
  await client.query(`begin isolation level read committed read only; ${endsIdle}`)
}
