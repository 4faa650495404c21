// The floor of startMany: 40,000 rows inserted over one connection, 1,000 a statement.
import type pg from 'pg'
import { perSecond } from '../measure.ts'
import { createFloorTables } from './tables.ts'

const statements = 40
const rowsPerStatement = 1_000

/** Rows a second. */
export async function batchedInsert(pool: pg.Pool): Promise<number> {
  await createFloorTables(pool)
  const inputs = Array.from({ length: rowsPerStatement }, () => '{"n":1}')
  const client = await pool.connect()
  try {
    return await perSecond(statements * rowsPerStatement, async () => {
      for (let sent = 0; sent < statements; sent++) {
        await client.query({
          name: 'floor_insert',
          text: `insert into floor.runs (state, input) select 'pending', given.input from unnest($1::jsonb[]) given(input)`,
          values: [inputs],
        })
      }
    })
  } finally {
    client.release()
  }
}
