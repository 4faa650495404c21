// The proof that limits are never exceeded: tasks of many keys under several rules, worked off by processes that are killed at random, and a checker
// that reads nothing but the history: when each attempt began, and when it ended.
// usage: npm run prove:limits -- [tasks, 1,000,000 unless told]
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { migrate } from '../../src/db/migrate.ts'
import { connect } from '../../src/sdk/client.ts'
import { limited, limitedAlone } from '../limited.ts'
import { defineLimit, miscounted } from '../limits.ts'
import { startTestServer } from '../test-server.ts'

const program = fileURLToPath(new URL('limited-worker.ts', import.meta.url))
const tasks = Number(process.argv[2] ?? 1_000_000)
const processes = 4
const killEveryMs = 2_000

/** Pipeline, key and capacity of each rule. The paths are those of the inputs below. What one rule without keys stops stays where it is ready. */
const rules = {
  all: { pipeline: limited, key: [], capacity: 150 },
  'by-shop': { pipeline: limited, key: [['shop']], capacity: 1 },
  'by-region': { pipeline: limited, key: [['region']], capacity: 7 },
  alone: { pipeline: limitedAlone, key: [], capacity: 60 },
} as const

const server = await startTestServer()
const name = `millrace_proof_${randomBytes(4).toString('hex')}`
const first = new pg.Client(server.url)
await first.connect()
await first.query(`create database ${name}`)
await first.end()
const url = new URL(server.url)
url.pathname = name
await migrate({ connectionString: url.href })
const pool = new pg.Pool({ connectionString: url.href, max: 4 })
pool.on('error', () => {})
const sql = {
  query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
    (await pool.query<Row>(text, values)).rows,
}

try {
  process.exitCode = (await prove()) ? 0 : 1
} finally {
  await pool.end()
  await server.stop()
}

async function prove(): Promise<boolean> {
  const client = connect({ database: url.href })
  for (const [rule, { pipeline, key, capacity }] of Object.entries(rules)) {
    await defineLimit(sql, rule, { kind: 'concurrency', key, capacity }, pipeline.slug)
  }
  for (let n = 0; n < tasks; n += 1_000) {
    const inputs = Array.from({ length: Math.min(1_000, tasks - n) }, (_, i) => ({
      shop: (n + i) % 3_001,
      region: (n + i) % 41,
    }))
    for (const pipeline of [limited, limitedAlone]) await client.startMany(pipeline, inputs)
  }
  await client.close()
  console.log(`Twice ${tasks.toLocaleString('en-US')} tasks are ready.`)
  const { seconds, kills, samples, wrong } = await workOff()
  console.log(
    `Worked off in ${seconds.toFixed(0)} s by ${processes} processes, with ${kills} kills; counted ${samples} times meanwhile, ${wrong} times wrong.`,
  )
  let isProved = wrong === 0
  for (const [rule, { pipeline, key, capacity }] of Object.entries(rules)) {
    const { attempts, most, full, early } = await fromHistory(pipeline.slug, key[0]?.[0] ?? null, capacity)
    console.log(
      `${rule}: ${attempts.toLocaleString('en-US')} attempts; at most ${most} of ${capacity} at once, which was reached ${full.toLocaleString('en-US')} times; exceeded ${early} times.`,
    )
    isProved &&= early === 0 && attempts >= tasks
  }
  return isProved
}

async function workOff() {
  const begunAt = Date.now()
  const workers = await Promise.all(Array.from({ length: processes }, startProcess))
  let kills = 0
  let samples = 0
  let wrong = 0
  for (let killAt = Date.now() + killEveryMs; ; ) {
    await pause(200)
    samples++
    wrong += (await miscounted(sql)).length > 0 ? 1 : 0
    const [row] = await sql.query<{ left: boolean }>(
      'select exists (select from millrace.task) or exists (select from millrace.waiting_task) as left',
    )
    if (!row!.left) break
    if (Date.now() < killAt) continue
    const victim = Math.floor(Math.random() * processes)
    workers[victim]!.kill('SIGKILL')
    kills++
    workers[victim] = await startProcess()
    killAt = Date.now() + killEveryMs
  }
  for (const worker of workers) worker.kill('SIGKILL')
  return { seconds: (Date.now() - begunAt) / 1_000, kills, samples, wrong }
}

async function startProcess(): Promise<ChildProcess> {
  const options = JSON.stringify({ database: url.href, slots: 100, leaseSeconds: 10 })
  const child = fork(program, [options], { execArgv: ['--import', 'tsx'] })
  await once(child, 'message')
  return child
}

/** Walks over the begins and ends of the attempts of each key, in their order; of two at one moment, the end comes first. */
async function fromHistory(slug: string, field: string | null, capacity: number) {
  const [row] = await sql.query<{ attempts: number; most: number; full: number; early: number }>(
    `with held as (
       select case when $2::text is null then '' else r.input ->> $2 end as key, a.started_at, a.finished_at
         from millrace.attempt a join millrace.run r on r.id = a.run_id and r.slug = $1
     ), moment as (
       select key, started_at as at, 1 as step from held union all select key, finished_at, -1 from held
     ), walked as (
       select step, sum(step) over (partition by key order by at, step rows unbounded preceding) as count from moment
     )
     select (select count(*) from held)::int as attempts, max(count)::int as most,
            count(*) filter (where step = 1 and count = $3)::int as full, count(*) filter (where step = 1 and count > $3)::int as early
       from walked`,
    [slug, field, capacity],
  )
  return row!
}
