// The floors of idle latencies: one commit, and five of them one after the other, with nothing else going on.
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { createFloorTables } from './tables.ts'

const pauseMs = 10

export interface CommitTimes {
  /** Milliseconds of each single commit. */
  readonly one: number[]
  /** Milliseconds of each five. */
  readonly five: number[]
}

export async function idleCommits(pool: pg.Pool, samples: number): Promise<CommitTimes> {
  await createFloorTables(pool)
  const client = await pool.connect()
  const times: CommitTimes = { one: [], five: [] }
  try {
    for (let sample = 0; sample < samples; sample++) {
      await pause(pauseMs)
      await oneRun(client, times)
    }
    return times
  } finally {
    client.release()
  }
}

async function oneRun(client: pg.PoolClient, times: CommitTimes): Promise<void> {
  const begun = performance.now()
  const { rows } = await client.query<{ id: string }>({
    name: 'floor_start',
    text: `insert into floor.runs (state, input) values ('running', '{"n":1}') returning id`,
  })
  const id = rows[0]?.id
  times.one.push(performance.now() - begun)
  for (let step = 0; step < 3; step++) {
    await client.query({
      name: 'floor_step',
      text: 'insert into floor.steps (run_id, step, output) values ($1, $2, $3)',
      values: [id, step, '{"ok":1}'],
    })
  }
  await client.query({
    name: 'floor_end',
    text: `update floor.runs set state = 'done', done_at = now() where id = $1`,
    values: [id],
  })
  times.five.push(performance.now() - begun)
}
