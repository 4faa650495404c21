// What a call of an SQL function reads of tables and indexes, counted by the server: the same however busy the machine is.
import type { Connection, Sql } from './protocol.ts'

interface Explained extends Record<string, unknown> {
  'QUERY PLAN': [{ Plan: Record<string, number> }]
}

/**
 * The buffers that the calls which `act` makes on `counted` read: the middle of three times, each rolled back. What comes before or between
 * goes over `sql`, the same connection, and isn't counted. A counted call answers nothing.
 */
export async function buffersOf(
  connection: Connection,
  act: (counted: Sql, sql: Sql) => Promise<unknown>,
): Promise<number> {
  const costs: number[] = []
  for (let times = 0; times < 3; times++) {
    let cost = 0
    const counted: Sql = {
      query: async (text, values) => {
        const [row] = await connection.query<Explained>(
          `explain (analyze, buffers, format json) ${text}`,
          values,
        )
        const plan = row!['QUERY PLAN'][0].Plan
        cost += (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0)
        return []
      },
    }
    await connection.query('begin')
    await act(counted, connection)
    await connection.query('rollback')
    costs.push(cost)
  }
  return costs.sort((a, b) => a - b)[1]!
}
