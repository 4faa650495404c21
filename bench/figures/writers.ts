// Sixty-four connections that start runs, each in a commit of its own, while the worker is busy: with wake-ups as they are, and
// with wake_workers emptied.
import type pg from 'pg'
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { withLocalWorker } from '../local-worker.ts'
import { takeTurns } from '../measure.ts'
import { givenInput, oneStep, waitingFor } from '../pipelines.ts'
import { createPool, createRunIds, poolCaller, startRuns } from '../product.ts'
import { randomBytes } from 'node:crypto'

const connections = 64
const slots = 20
const newId = createRunIds({ now: Date.now, random: (count) => randomBytes(count) })

export const writers: Figure = {
  name: 'writers',
  measure: (bench) =>
    bench.withDatabase((silent) => bench.withDatabase((waking) => measure(bench, silent, waking))),
}

async function measure(bench: Bench, silent: BenchDatabase, waking: BenchDatabase): Promise<Row[]> {
  await silent.pool.query(
    `create or replace function millrace.wake_workers(always boolean) returns void language plpgsql as 'begin end'`,
  )
  const rates = (wakeAlways: boolean) =>
    takeTurns(
      bench.rounds,
      () => commitsPerSecond(bench, silent, wakeAlways),
      () => commitsPerSecond(bench, waking, wakeAlways),
    )
  const unit = 'commits/s'
  return [
    {
      label: '64 writers, with wake-ups',
      ...(await rates(false)),
      unit,
      goal: { atLeast: 0.9 },
      note: 'against without; the worker is busy; SDK starts',
    },
    {
      label: '64 writers, each notifying',
      ...(await rates(true)),
      unit,
      note: "as starts in a caller's transaction do",
    },
  ]
}

/** The worker's slots are all taken by steps that wait, so it neither sleeps nor claims. */
async function commitsPerSecond(bench: Bench, database: BenchDatabase, wakeAlways: boolean): Promise<number> {
  let release = () => {}
  let begun = 0
  const waiting = waitingFor(
    new Promise((resolve) => {
      release = resolve
    }),
    () => begun++,
  )
  return withLocalWorker(
    { database: database.url, pipelines: [waiting, oneStep()], slots },
    async ({ client }) => {
      await client.startMany(
        waiting,
        Array.from({ length: slots }, () => givenInput),
      )
      try {
        while (begun < slots) await new Promise((resolve) => setTimeout(resolve, 5))
        return await write(database.url, bench.size(3) * 1_000, wakeAlways)
      } finally {
        release()
        await database.pool.query('truncate millrace.task')
      }
    },
  )
}

async function write(url: string, forMs: number, wakeAlways: boolean): Promise<number> {
  const pool = createPool({ connectionString: url, connectionsMax: connections })
  try {
    // All connected before the clock runs.
    const clients: pg.PoolClient[] = await Promise.all(
      Array.from({ length: connections }, () => pool.connect()),
    )
    for (const client of clients) client.release()
    const caller = poolCaller(pool, { prepare: true, database: 'the database of the benchmark' })
    const begun = performance.now()
    let commits = 0
    const writer = async () => {
      while (performance.now() - begun < forMs) {
        await startRuns(caller, [startRow()], { via: 'sdk', wakeAlways })
        commits++
      }
    }
    await Promise.all(Array.from({ length: connections }, writer))
    return commits / ((performance.now() - begun) / 1_000)
  } finally {
    await pool.end()
  }
}

function startRow(): Parameters<typeof startRuns>[1][number] {
  return {
    id: newId(),
    slug: 'one-step',
    version: null,
    input: '{"n":1}',
    priority: null,
    tenant: null,
    headers: null,
    availableAt: null,
    idempotencyKey: null,
    idempotencySeconds: null,
  }
}
