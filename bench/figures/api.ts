// The API over HTTP, with a key, from another process: starts, lists, accounts, and streams on which nothing happens.
import http from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { type ApiServer, withApiServer } from '../api-server.ts'
import type { Bench } from '../bench.ts'
import type { BenchDatabase } from '../database.ts'
import type { Figure, Row } from '../figure.ts'
import { fillHistory } from '../history.ts'
import { withLocalWorker } from '../local-worker.ts'
import { everyRound, inFlight, inSequence, median, millisecondsOf, quantile, repeat } from '../measure.ts'
import { oneStep } from '../pipelines.ts'
import { connect, pipeline } from '../product.ts'

const connections = 32
const where = `${connections} connections, the load and the server on this machine`

/** From a POST to its 201, which says that the run is committed. */
export const apiStarts: Figure = {
  name: 'api-starts',
  measure: (bench) => bench.withDatabase((database) => measureStarts(bench, database)),
}

async function measureStarts(bench: Bench, { url }: BenchDatabase): Promise<Row[]> {
  await withLocalWorker({ database: url, pipelines: [oneStep()] }, async () => {})
  return withApiServer({ database: url, connections }, async ({ ask }) => {
    const total = bench.size(16_000)
    const rounds = await repeat(bench.rounds, async () => {
      const times: number[] = []
      const ms = await millisecondsOf(() =>
        inFlight(connections, total, async (n) => {
          times.push(await millisecondsOf(() => ask('POST', '/runs', { pipeline: 'one-step', input: { n } })))
        }),
      )
      return { times, perSecond: total / (ms / 1_000) }
    })
    return [
      {
        label: 'POST /runs, durable, p50',
        ours: rounds.map(({ times }) => quantile(times, 0.5)),
        unit: 'ms',
        goal: { atMost: 5 },
        note: where,
      },
      {
        label: 'POST /runs, durable, p99',
        ours: rounds.map(({ times }) => quantile(times, 0.99)),
        unit: 'ms',
        goal: { atMost: 25 },
        note: where,
      },
      {
        label: 'POST /runs a second',
        ours: rounds.map(({ perSecond }) => perSecond),
        unit: 'runs/s',
        goal: { atLeast: 2_500 },
        note: where,
      },
    ]
  })
}

const runs = 1_000_000

/** A page of 50 of the runs of a pipeline in a state, of which there are many, few or none. */
export const apiList: Figure = {
  name: 'api-list',
  measure: (bench) => bench.withDatabase((database) => measureList(bench, database)),
}

async function measureList(bench: Bench, { url, pool }: BenchDatabase): Promise<Row[]> {
  const others = pipeline('others').step('one', () => null)
  await withLocalWorker({ database: url, pipelines: [oneStep(), others] }, async () => {})
  await fillHistory(pool, 'one-step', runs)
  await failSome(pool)
  const client = connect({ database: url })
  await client.startMany(
    'one-step',
    Array.from({ length: 30 }, (_, n) => ({ n })),
  )
  await client.startMany(
    'others',
    Array.from({ length: 5_000 }, (_, n) => ({ n })),
  )
  await client.close()
  await pool.query('vacuum analyze millrace.run, millrace.task, millrace.unsuccessful_run')
  return withApiServer({ database: url, connections: 1 }, async ({ ask }) => {
    const rows: Row[] = []
    for (const state of ['completed', 'failed', 'cancelled', 'pending', 'failed,completed']) {
      const path = `/runs?pipeline=one-step&state=${state}&limit=50`
      const rounds = await repeat(bench.rounds, async () =>
        median(await inSequence(bench.size(400), () => millisecondsOf(() => ask('GET', path)))),
      )
      rows.push({
        label: `list of runs, ${state}, p50`,
        ours: rounds,
        unit: 'ms',
        goal: { atMost: 5 },
        note: 'a page of 50 of one pipeline among 1,000,000 runs, one request at a time',
      })
    }
    return rows
  })
}

/** One in a thousand failed, and none was cancelled. */
async function failSome(pool: pg.Pool): Promise<void> {
  await pool.query(
    `with failed as (
       update millrace.run set state = 'failed', output = null, error = '{"code":"bench","message":"it failed"}'
        where hashtext(id::text) % 1000 = 0 returning id, slug)
     insert into millrace.unsuccessful_run (run_id, slug, state) select id, slug, 'failed' from failed`,
  )
}

const items = 999

/** The account of a run of a thousand attempts. */
export const apiAccount: Figure = {
  name: 'api-account',
  measure: (bench) => bench.withDatabase((database) => measureAccount(bench, database)),
}

async function measureAccount(bench: Bench, { url }: BenchDatabase): Promise<Row[]> {
  const wide = pipeline('wide')
    .step('list', () => Array.from({ length: items }, (_, n) => n))
    .map('each', { over: 'list' }, ({ item }) => item)
  const client = connect({ database: url })
  const id = await withLocalWorker({ database: url, pipelines: [wide] }, async () => {
    const { run } = await client.start(wide, null as never)
    await client.run(run!.id).result()
    return run!.id
  })
  await client.close()
  return withApiServer({ database: url, connections: 1 }, async ({ ask }) => {
    const rounds = await repeat(bench.rounds, async () =>
      median(
        await inSequence(bench.size(200), () => millisecondsOf(() => ask('GET', `/runs/${id}/account`))),
      ),
    )
    return [
      {
        label: 'account of a run of 1,000 attempts, p50',
        ours: rounds,
        unit: 'ms',
        goal: { atMost: 25 },
        note: 'over HTTP, one request at a time',
      },
    ]
  })
}

const idleMs = 10_000

/** Streams on which nothing happens: what they hold, and what they ask of the database. */
export const apiStreams: Figure = {
  name: 'api-streams',
  measure: (bench) =>
    bench.withDatabase((database) => measureStreams(bench, database, { streams: 2_000, megabytesMax: 100 })),
}

/** As many as one server takes, by default. */
export const apiStreamsFull: Figure = {
  name: 'api-streams-full',
  measure: (bench) =>
    bench.withDatabase((database) => measureStreams(bench, database, { streams: 5_000, megabytesMax: 250 })),
}

interface Crowd {
  readonly streams: number
  readonly megabytesMax: number
}

async function measureStreams(
  bench: Bench,
  { url, pool }: BenchDatabase,
  { streams, megabytesMax }: Crowd,
): Promise<Row[]> {
  await withLocalWorker({ database: url, pipelines: [oneStep()] }, async () => {})
  const client = connect({ database: url })
  const started = await client.startMany(
    'one-step',
    Array.from({ length: streams }, (_, n) => ({ n })),
  )
  await client.close()
  const ids = started.map(({ run }) => run!.id)
  return withApiServer({ database: url, connections: 1 }, async (server) => {
    await server.ask('GET', '/runs?limit=1')
    const before = await server.residentBytes()
    const agent = new http.Agent({ keepAlive: true, maxSockets: streams })
    const paths = ids.map((id) => `/runs/${id}/events`)
    const open: http.IncomingMessage[] = []
    await inFlight(50, streams, async (n) => void open.push(await follow(server, agent, paths[n]!)))
    // What the server's connections did while the streams were opened is reported within some seconds.
    await pause(idleMs + 2_000)
    const rounds = await everyRound(bench.rounds, async () => {
      const from = await commits(pool)
      await pause(idleMs)
      // What is asked here is one of them.
      const statements = ((await commits(pool)) - from - 1) / (idleMs / 1_000)
      return { statements, bytes: (await server.residentBytes()) - before }
    })
    for (const one of open) one.destroy()
    agent.destroy()
    const note = `${streams} streams, each of a run of its own`
    return [
      {
        label: 'idle event streams, memory',
        ours: rounds.map(({ bytes }) => bytes / 1_000_000),
        unit: 'MB',
        goal: { atMost: megabytesMax },
        note,
      },
      {
        label: 'idle event streams, statements a second',
        ours: rounds.map(({ statements }) => statements),
        unit: '/s',
        goal: { atMost: 1 },
        note,
      },
    ]
  })
}

/** Resolves once the first event is there; what comes after is read and thrown away. */
function follow(server: ApiServer, agent: http.Agent, path: string): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = http.get(`${server.url}${path}`, { agent, headers: server.headers }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`The server answered ${answer.statusCode}.`))
      answer.on('data', (text: Buffer) => {
        if (text.includes('event: run')) resolve(answer)
      })
      answer.on('error', () => {})
    })
    request.on('error', reject)
  })
}

/** Transactions of a database so far, as its statistics say. */
export async function commits(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ commits: number }>(
    'select xact_commit::float8 as commits from pg_stat_database where datname = current_database()',
  )
  return rows[0]!.commits
}
