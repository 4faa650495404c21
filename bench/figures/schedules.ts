// Schedules: how late a thousand of them fire that are due in the same second, and what a hundred thousand cost of which none is due.
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { everyRound, quantile, repeat } from '../measure.ts'
import { WorkerProcess } from '../worker-process.ts'

const dueTogether = 1_000
/** From when they are defined to when they are due, with time enough for a worker to plan them. */
const leadMs = 10_000
/** So long nobody looks: whoever looks takes of what is measured. */
const settleMs = 5_000
/** Beyond the figure's end, so that none is due while another revision is measured. */
const everyMs = 86_400_000
/** Ticks of the kernel's clock a second, in which it counts the time of processes. */
const ticks = 100

export const schedules: Figure = {
  name: 'schedules',
  measure: async (bench) => [
    ...(await bench.withDatabase((database) => measureLateness(bench, database))),
    ...(await bench.withDatabase((database) => measureIdle(bench, database))),
  ],
}

async function measureLateness(bench: Bench, { url, pool }: BenchDatabase): Promise<Row[]> {
  const worker = await WorkerProcess.start({ database: url, slots: 100, pipelines: { 'one-step': ['one'] } })
  try {
    const rounds = await everyRound(bench.rounds, async () => {
      const slot = new Date(Math.ceil((Date.now() + leadMs) / 1_000) * 1_000)
      await define(pool, dueTogether, {
        every_ms: everyMs,
        every_from: slot.toISOString(),
        input: { n: 1 },
      })
      return latenessOf(pool, slot)
    })
    const label = `${dueTogether.toLocaleString('en')} due at once`
    return [
      {
        label: `${label}, fired, p99`,
        ours: rounds.map(({ fired }) => quantile(fired, 0.99)),
        unit: 'ms late',
        goal: { atMost: 1_000 },
        note: 'when its run is started',
      },
      {
        label: `${label}, claimed, p99`,
        ours: rounds.map(({ begun }) => quantile(begun, 0.99)),
        unit: 'ms late',
        goal: { atMost: 1_000 },
        note: 'committed, and in the hands of one worker of 100 slots',
      },
    ]
  } finally {
    await worker.stop()
  }
}

/** Looked at once all of them have ended, so that nobody else is at work in the meantime. */
async function latenessOf(pool: pg.Pool, slot: Date): Promise<{ fired: number[]; begun: number[] }> {
  await pause(Math.max(0, slot.getTime() - Date.now()) + settleMs)
  for (;;) {
    const { rows } = await pool.query<{ fired: number; begun: number }>(
      `select extract(epoch from f.fired_at - f.slot_at)::float8 * 1000 as fired,
              extract(epoch from r.started_at - f.slot_at)::float8 * 1000 as begun
         from millrace.firing f join millrace.run r on r.id = f.run_id where f.slot_at = $1 and f.state = 'completed'`,
      [slot],
    )
    if (rows.length === dueTogether)
      return { fired: rows.map(({ fired }) => fired), begun: rows.map(({ begun }) => begun) }
    await pause(200)
  }
}

async function measureIdle(bench: Bench, { url, pool }: BenchDatabase): Promise<Row[]> {
  const seconds = bench.size(10)
  const worker = await WorkerProcess.start({ database: url, pipelines: { 'one-step': ['one'] } })
  try {
    const defined = bench.size(100_000)
    await define(pool, defined, { cron: '0 0 1 1 *', timezone: 'Europe/Berlin', input: { n: 1 } })
    for (;;) {
      const { rows } = await pool.query('select 1 from millrace.schedule where next_slot_at is null limit 1')
      if (rows.length === 0) break
      await pause(500)
    }
    await pool.query('vacuum analyze millrace.schedule')
    await pause(3_000)
    const taken = await repeat(bench.rounds, () => idleFor(pool, worker, seconds))
    const label = `${defined.toLocaleString('en')} defined, none due`
    return [
      {
        label: `${label}, statements`,
        ours: taken.map(({ statements }) => statements),
        unit: 'a second',
        goal: { atMost: 2 },
        note: 'all that the worker asks',
      },
      {
        label: `${label}, share of a core`,
        ours: taken.map(({ share }) => share * 100),
        unit: '%',
        goal: { atMost: 5 },
        note: 'the worker and its server processes',
      },
    ]
  } finally {
    await worker.stop()
  }
}

async function idleFor(
  pool: pg.Pool,
  worker: WorkerProcess,
  seconds: number,
): Promise<{ statements: number; share: number }> {
  const before = { transactions: await transactions(pool), cpu: await cpuSeconds(pool, worker) }
  await pause(seconds * 1_000)
  const after = await cpuSeconds(pool, worker)
  // What began or ended meanwhile is no part of the worker's idleness.
  const used = [...after].reduce((sum, [id, cpu]) => sum + cpu - (before.cpu.get(id) ?? cpu), 0)
  // Our own looks are three transactions.
  return {
    statements: ((await transactions(pool)) - before.transactions - 3) / seconds,
    share: used / seconds,
  }
}

async function transactions(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `select (xact_commit + xact_rollback)::float8 as count, pg_stat_force_next_flush()
       from pg_stat_database where datname = current_database()`,
  )
  return rows[0]?.count ?? 0
}

/** What the worker (0) and the processes of the server that serve it have used; those of a server elsewhere are not seen. */
async function cpuSeconds(pool: pg.Pool, worker: WorkerProcess): Promise<Map<number, number>> {
  const { rows } = await pool.query<{ pid: number }>(
    `select pid from pg_stat_activity where datname = current_database() and application_name like 'millrace%'`,
  )
  const used = rows.map(async ({ pid }) => [pid, await processSeconds(pid)] as const)
  return new Map([[0, await worker.cpuSeconds()], ...(await Promise.all(used))])
}

async function processSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number)
  return (user + system) / ticks
}

async function define(pool: pg.Pool, count: number, settings: object): Promise<void> {
  const atOnce = 1_000
  for (let from = 1; from <= count; from += atOnce)
    await pool.query(
      `select millrace.define_schedule('schedule-' || i, 'one-step', $1::jsonb) from generate_series($2::int, $3::int) i`,
      [JSON.stringify(settings), from, Math.min(count, from + atOnce - 1)],
    )
}
