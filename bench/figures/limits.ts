// The drain under rules that are not reached, against the drain without any; and beside tasks that a rule stops.
import { setTimeout as pause } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import { drainedPerSecond } from '../drained.ts'
import type { Figure, Row } from '../figure.ts'
import { withClient } from '../local-worker.ts'
import { perSecond, takeTurns } from '../measure.ts'
import { givenInput, oneStep, waitingFor } from '../pipelines.ts'
import { type PipelineDefinition, startWorker } from '../product.ts'
import { WorkerProcess } from '../worker-process.ts'

const slots = 1_000
const runs = 20_000
/** More than there are slots: a rule that is never reached. */
const unreached = 100_000

export const limits: Figure = {
  name: 'limits',
  measure: async (bench) => [
    await drainUnder(bench, 'one concurrency rule', 0.9, 1, [rule('all', [])]),
    await drainUnder(bench, 'four rules, 10,000 keys', 0.75, 10_000, [
      rule('all', []),
      rule('by-key', [['n']]),
      rule('by-tenant', [['$tenant']]),
      {
        ...rule('paced', [['n']]),
        settings: { kind: 'rate', units: 1_000_000, per_ms: 1_000, burst: 1_000_000, key: [['n']] },
      },
    ]),
    await drainUnder(bench, 'one rule, 100,000 keys', 0.8, 100_000, [rule('by-key', [['n']])]),
    await drainByProcesses(bench, 4),
    await besideStopped(bench),
  ],
}

export interface Rule {
  readonly name: string
  readonly settings: object
}

function rule(name: string, key: string[][], capacity = unreached): Rule {
  return { name, settings: { kind: 'concurrency', capacity, key } }
}

/** The drain under rules against the drain without any. */
export function drainUnder(
  bench: Bench,
  what: string,
  goal: number | undefined,
  keys: number,
  rules: readonly Rule[],
): Promise<Row> {
  return bench.withDatabase((free) =>
    bench.withDatabase(async (limited) => {
      for (const rule of rules) await defineRule(limited, rule, oneStep().slug)
      const inputOf = (n: number) => ({ n: (n * 7919) % keys })
      const turns = await takeTurns(
        bench.rounds,
        () => drainedPerSecond(bench, { database: free.url, runs, slots, inputOf }),
        () => drainedPerSecond(bench, { database: limited.url, runs, slots, inputOf }),
      )
      return {
        label: `drain under ${what}`,
        ...turns,
        unit: 'runs/s',
        ...(goal === undefined ? {} : { goal: { atLeast: goal } }),
        note: `against none; ${slots} slots`,
      }
    }),
  )
}

/** Several worker processes meet on one rule. */
function drainByProcesses(bench: Bench, processes: number): Promise<Row> {
  return bench.withDatabase((free) =>
    bench.withDatabase(async (limited) => {
      await defineRule(limited, rule('all', []), oneStep().slug)
      const workers = await Promise.all(
        [free, limited].flatMap(({ url }) =>
          Array.from({ length: processes }, () =>
            WorkerProcess.start({
              database: url,
              pipelines: { 'one-step': ['one'] },
              slots: slots / processes,
              silent: true,
            }),
          ),
        ),
      )
      try {
        const turns = await takeTurns(
          bench.rounds,
          () => startedAndDrained(free),
          () => startedAndDrained(limited),
        )
        return {
          label: 'start and drain under one concurrency rule',
          ...turns,
          unit: 'runs/s',
          goal: { atLeast: 0.75 },
          note: `against none; ${processes} worker processes with ${slots / processes} slots each`,
        }
      } finally {
        await Promise.all(workers.map((worker) => worker.stop()))
      }
    }),
  )
}

/** Runs a second that are started here and worked off by other processes meanwhile. */
function startedAndDrained({ url, pool }: BenchDatabase): Promise<number> {
  const inputs = Array.from({ length: runs }, () => givenInput)
  return withClient(url, (client) =>
    perSecond(runs, async () => {
      await client.startMany(oneStep(), inputs)
      while ((await pool.query('select from millrace.task limit 1')).rows.length > 0) await pause(5)
    }),
  )
}

function besideStopped(bench: Bench): Promise<Row> {
  return bench.withDatabase((free) =>
    bench.withDatabase(async (full) => {
      const stopped = bench.size(100_000)
      const held = waitingFor(Promise.resolve(), () => {})
      const never = { kind: 'rate', units: 1, per_ms: 31_536_000_000 }
      await defineRule(full, { name: 'none', settings: never }, held.slug)
      await withClient(full.url, async (client) => {
        await client.startMany(
          held,
          Array.from({ length: stopped }, () => givenInput),
        )
      })
      await judgeAll(full, held)
      const turns = await takeTurns(
        bench.rounds,
        () => drainedPerSecond(bench, { database: free.url, runs, slots, beside: [held] }),
        () => drainedPerSecond(bench, { database: full.url, runs, slots, beside: [held] }),
      )
      return {
        label: 'drain beside tasks that a rule stops',
        ...turns,
        unit: 'runs/s',
        goal: { atLeast: 0.95 },
        note: `${stopped.toLocaleString('en-US')} of them, against none`,
      }
    }),
  )
}

/** A worker claims them once, and the rule stops all but the first. */
async function judgeAll({ url, pool }: BenchDatabase, held: PipelineDefinition): Promise<void> {
  const worker = await startWorker({ database: url, pipelines: [held], slots })
  for (;;) {
    const { rows } = await pool.query('select from millrace.task limit 1')
    if (rows.length === 0) break
    await pause(50)
  }
  await worker.stop()
  await pool.query('vacuum analyze')
}

/** Defines a rule for a pipeline. */
export async function defineRule(
  { pool }: BenchDatabase,
  { name, settings }: Rule,
  slug: string,
): Promise<void> {
  await pool.query('select millrace.define_limit($1, $2, $3)', [
    name,
    JSON.stringify(settings),
    JSON.stringify([{ slug }]),
  ])
}
