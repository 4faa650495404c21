// What a worker costs that has nothing to do: statements a second, and memory.
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import type { Figure } from '../figure.ts'
import { repeat } from '../measure.ts'
import { WorkerProcess } from '../worker-process.ts'

/** After the first looks, the making of partitions and the leave-taking of connections. */
const settleMs = 5_000

export const idleWorker: Figure = {
  name: 'idle-worker',
  measure: (bench) =>
    bench.withDatabase(async ({ url, pool }) => {
      const seconds = bench.size(10)
      const worker = await WorkerProcess.start({ database: url, pipelines: { 'one-step': ['one'] } })
      try {
        await pause(settleMs)
        const rates = await repeat(bench.rounds, () => transactionsPerSecond(pool, seconds))
        const megabytes = await repeat(bench.rounds, async () => (await worker.residentBytes()) / 1e6)
        return [
          { label: 'worker at idle, statements', ours: rates, unit: 'a second', goal: { atMost: 3 } },
          { label: 'worker at idle, resident memory', ours: megabytes, unit: 'MB', goal: { atMost: 90 } },
        ]
      } finally {
        await worker.stop()
      }
    }),
}

/** A worker's statements are transactions each; our own two looks are taken off. */
async function transactionsPerSecond(pool: pg.Pool, seconds: number): Promise<number> {
  const before = await transactions(pool)
  await pause(seconds * 1_000)
  return ((await transactions(pool)) - before - 1) / seconds
}

async function transactions(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `select (xact_commit + xact_rollback)::float8 as count, pg_stat_force_next_flush()
       from pg_stat_database where datname = current_database()`,
  )
  return rows[0]?.count ?? 0
}
