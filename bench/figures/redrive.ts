// 10,000 failed runs given fresh attempts: ordered with one call, carried out by a worker, until the last of them is ready again.
import { BareWorker } from '../bare-worker.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure } from '../figure.ts'
import { withClient } from '../local-worker.ts'
import { everyRound, perSecond } from '../measure.ts'
import { givenInput, oneStep } from '../pipelines.ts'

const startsPerCall = 1_000

export const redrive: Figure = {
  name: 'redrive',
  measure: (bench) =>
    bench.withDatabase(async (database) => {
      const runs = bench.size(10_000)
      const pipeline = oneStep()
      const worker = await BareWorker.register(database.pool, pipeline)
      await startRuns(database, runs)
      const ours = await everyRound(bench.rounds, async () => {
        await failAll(database, worker, runs)
        return perSecond(runs, () => bench.profiled(() => redriveAll(database, runs)))
      })
      const note = `${runs.toLocaleString('en-US')} by one filter, in batches of 200`
      return [{ label: 'redrive of 10,000', ours, unit: 'runs/s', goal: { atLeast: 5_000 }, note }]
    }),
}

/** The same runs fail in every round: each redrive makes them ready for the next. */
async function startRuns({ url }: BenchDatabase, runs: number): Promise<void> {
  await withClient(url, async (client) => {
    for (let started = 0; started < runs; started += startsPerCall)
      await client.startMany(
        oneStep(),
        Array.from({ length: Math.min(startsPerCall, runs - started) }, () => givenInput),
      )
  })
}

async function failAll({ pool }: BenchDatabase, worker: BareWorker, runs: number): Promise<void> {
  for (let failed = 0; failed < runs; ) {
    const tasks = await worker.claim(startsPerCall, true)
    if (tasks.length === 0) throw new Error(`${runs} runs were to fail, and only ${failed} were claimed.`)
    await worker.fail(tasks)
    failed += tasks.length
  }
  await pool.query('vacuum analyze')
}

async function redriveAll({ url, pool }: BenchDatabase, runs: number): Promise<void> {
  await withClient(url, async (client) => {
    const { id, total } = await client.redrives.start({ pipeline: oneStep().slug })
    if (total !== runs) throw new Error(`${runs} runs have failed, ${total} were ordered.`)
    for (let more = true; more; ) {
      const { rows } = await pool.query<{ more: boolean }>('select more from millrace.work_redrives(200)')
      more = rows[0]!.more
    }
    const { done } = await client.redrives.show(id)
    if (done !== runs) throw new Error(`${runs} runs were ordered, ${done} redriven.`)
  })
}
