// The floors of durable operations: checkpoints without anything around them, one commit each, or all in one statement.
import type pg from 'pg'
import { millisecondsOf } from '../measure.ts'
import { createFloorTables } from './tables.ts'

/** Milliseconds of so many commits one after the other, over one connection. */
export async function checkpointsInSequence(pool: pg.Pool, count: number): Promise<number> {
  await createFloorTables(pool)
  const client = await pool.connect()
  try {
    return await millisecondsOf(async () => {
      for (let step = 0; step < count; step++) {
        await client.query({
          name: 'floor_checkpoint',
          text: 'insert into floor.steps (run_id, step, output) values ($1, $2, $3)',
          values: [1, step, '{"ok":1}'],
        })
      }
    })
  } finally {
    client.release()
  }
}

/** Milliseconds of the same in one statement. */
export async function checkpointsAtOnce(pool: pg.Pool, count: number): Promise<number> {
  await createFloorTables(pool)
  const steps = Array.from({ length: count }, (_, step) => step)
  const outputs = steps.map(() => '{"ok":1}')
  return millisecondsOf(() =>
    pool.query({
      name: 'floor_checkpoints',
      text: `insert into floor.steps (run_id, step, output) select 1, g.step, g.output from unnest($1::int[], $2::jsonb[]) g(step, output)`,
      values: [steps, outputs],
    }),
  )
}
