// A server that crashes and comes back, that can't write what it has, has fifty workers at once, or is kept from cleaning up: no acknowledged start is
// lost, workers and clients go on by themselves, and who is in the way is named.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { expect, test } from 'vitest'
import { checkCleaning } from '../../src/cli/doctor/cleaning.ts'
import type { Caller } from '../../src/db/call.ts'
import { readCleaning } from '../../src/db/cleaning.ts'
import { migrate } from '../../src/db/migrate.ts'
import { connect } from '../../src/sdk/client.ts'
import { startWorker } from '../../src/worker/worker.ts'
import { allEnded, expectLoadDone, expectSound, isLong, recordFigure, startLoad } from './effects.ts'
import { load, holdPipelines } from './pipelines.ts'
import { seededRandom } from './random.ts'
import { until } from '../deadline.ts'
import { isThere } from './own-server.ts'
import { programsOnServer } from './programs-on.ts'
import { mayJudge, type WorkerProgram } from './worker-program.ts'

const stops = isLong ? 50 : 3
const { hold } = holdPipelines(() => {})

// Room for fifty workers at once.
const { server, client, programs } = await programsOnServer({ max_connections: '450' })

const strace = '/usr/bin/strace'
const mayTrace =
  existsSync(strace) &&
  spawnSync(strace, ['-o', '/dev/null', 'true'], { stdio: 'ignore' }).status === 0 &&
  process.getuid?.() === 0
if (!mayTrace)
  process.stdout.write(
    'Left out: the test of a failing fsync, because strace may not attach to a server here.\n',
  )

test(
  'B1 the server crashes under load and comes back: no acknowledged start is lost, and workers go on within 5 s',
  async () => {
    const options = { database: server.url, leaseSeconds: 3, heartbeatMs: 300, slots: 10 }
    const workers = await Promise.all([programs.start(options), programs.start(options)])
    const random = seededRandom(20_240_614)
    const begun = performance.now()
    const acknowledged: string[] = []
    let slowest = 0
    for (let stop = 0; stop < stops; stop++) {
      const starting = startUntilRefused(acknowledged)
      await until('a load under way', () => acknowledged.length > 40 * (stop + 1))
      await server.crash()
      starting.stop()
      await pause(isLong && stop % 10 === 0 ? 30_000 : random() * 1_500)
      await server.start()
      const ready = performance.now()
      await starting.ended
      const again = await backAtWork(workers, ready)
      slowest = Math.max(slowest, again)
    }
    await allEnded(server, acknowledged, 60_000)
    await expectLoadDone(server, acknowledged)
    recordFigure(
      'B1',
      `${stops} crashes, ${acknowledged.length} acknowledged starts, 0 lost; both workers back at most ${slowest.toFixed(1)} s after readiness`,
    )
    expect(slowest).toBeLessThan(5)
    const seconds = (performance.now() - begun) / 1_000
    for (const { logs } of workers) expect(logs.length).toBeLessThan(seconds)
  },
  isLong ? 3_600_000 : 90_000,
)

test('B2 the server crashes in the middle of a sweep that recovers tasks: the sweep runs again, each task is recovered once, and nothing stays stranded', async () => {
  const options = { database: server.url, leaseSeconds: 3, heartbeatMs: 300, slots: 6 }
  const victim = await programs.start(options)
  const heir = await programs.start(options)
  await mayJudge(server, heir.worker)
  await server.query('select millrace.pause_worker($1)', [heir.worker])
  const runs = await Promise.all(
    Array.from({ length: 4 }, async () => (await client.start(hold, { ms: 4_000, deaf: false })).run!.id),
  )
  for (const run of runs) await victim.said('began', { run })
  // Between the first task that is taken back and the commit.
  await server.query(`create function public.linger() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return new; end $$;
    create trigger linger before insert on millrace.attempt for each row when (new.outcome = 'reclaimed') execute function public.linger()`)
  await victim.kill()
  await until('a sweep in the middle of its work', async () => {
    const sweeping = await server.query("select from pg_stat_activity where wait_event = 'PgSleep'")
    return sweeping.length > 0
  })
  await server.crash()
  await server.start()
  await server.query('drop function public.linger cascade')
  await server.query('select millrace.resume_worker(id) from millrace.worker where state = $1', ['paused'])
  await allEnded(server, runs, 60_000)
  expect(
    await server.query(
      `select run_id, array_agg(outcome order by attempt) as outcomes from millrace.attempt
        where run_id = any ($1) group by run_id having array_agg(outcome order by attempt) <> '{reclaimed,completed}'`,
      [runs],
    ),
  ).toEqual([])
  await expectSound(server, runs)
}, 90_000)

test('B5 the backend is ended during the commit of a start: the client asks again with the same id, and there is one run', async () => {
  // The first start of a pipeline registers it; this is about the start alone.
  await client.run((await client.start(hold, { ms: 1, deaf: false })).run!).cancel()
  // A commit that waits for a standby that isn't there has happened, but is not acknowledged.
  await server.configure('synchronous_standby_names', 'nobody')
  let answer = client.start(hold, { ms: 1, deaf: false })
  const earlier: string[] = []
  await until('the commit that waits', async () => {
    if ((await waitingCommits()) > 0) return true
    // The server takes the setting up a moment later: what was committed before that doesn't count, and another start is tried.
    const early = await Promise.race([answer, pause(200)])
    if (early === undefined) return false
    // Cancelled later: its commit would wait as well.
    earlier.push(early.run!.id)
    answer = client.start(hold, { ms: 1, deaf: false })
    return false
  })
  const ended = await server.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'",
  )
  expect(ended.length).toBeGreaterThan(0)
  await server.configure('synchronous_standby_names')
  const { created, run } = await answer
  expect(created).toBe(true)
  const runs = await server.query(
    "select id from millrace.run where slug = $1 and created_at > clock_timestamp() - interval '30 seconds' and finished_at is null and id <> all ($2)",
    [hold.slug, earlier],
  )
  expect(runs).toEqual([{ id: run!.id }])
  expect(
    await server.query('select count(*)::int as tasks from millrace.task where run_id = $1', [run!.id]),
  ).toEqual([{ tasks: 1 }])
  for (const id of [...earlier, run!.id]) await client.run(id).cancel()
}, 60_000)

test.skipIf(!mayTrace)(
  'B7 fsync fails in the checkpointer, then in the WAL writer: the server ends all and recovers by itself, and nothing acknowledged is lost',
  async () => {
    await programs.start({ database: server.url, leaseSeconds: 3, heartbeatMs: 300, slots: 10 })
    const acknowledged: string[] = []
    for (const victim of ['checkpointer', 'walwriter']) {
      const failing = await failSyncsOf(victim)
      const starting = startUntilRefused(acknowledged)
      const before = acknowledged.length
      await until('a load under way', () => acknowledged.length > before + 15)
      await failing.come().finally(() => starting.stop())
      await starting.ended
      await until('the server answers again', answers)
      await allEnded(server, acknowledged, 60_000)
    }
    await expectLoadDone(server, acknowledged)
    recordFigure('B7', `2 failing syncs, ${acknowledged.length} acknowledged starts, 0 lost`)
  },
  90_000,
)

test('C7 fifty migrate one empty database at once and it is migrated once; fifty workers start at once, and their heartbeats are spread', async () => {
  await server.query('create database fifty')
  const url = new URL(server.url)
  url.pathname = 'fifty'
  const results = await Promise.all(
    Array.from({ length: 50 }, () => migrate({ connectionString: url.href, lockTimeoutMs: 30_000 })),
  )
  expect(results.filter(({ applied }) => applied.length > 0)).toHaveLength(1)
  const database = url.href
  const heartbeatMs = 1_000
  const workers = await Promise.all(
    Array.from({ length: 50 }, () =>
      startWorker({ database, pipelines: [hold], slots: 1, leaseSeconds: 30, heartbeatMs, log: () => {} }),
    ),
  )
  const own = connect({ database })
  const client = new pg.Client(database)
  client.on('error', () => {})
  await client.connect()
  try {
    const { rows } = await client.query<{ tenth: number; workers: number }>(
      `select (extract(epoch from heartbeat_at) * 1000)::bigint % 1000 / 100 as tenth, count(*)::int as workers
         from millrace.worker where state <> 'gone' group by 1`,
    )
    expect(rows.reduce((sum, { workers: there }) => sum + there, 0)).toBe(50)
    recordFigure(
      'C7',
      `heartbeats of 50 workers by tenth of their time: ${rows.map(({ workers: there }) => there).join(' ')}`,
    )
    expect(Math.max(...rows.map(({ workers: there }) => there))).toBeLessThan(20)
    const started = await Promise.all(
      Array.from({ length: 100 }, () => own.start(hold, { ms: 1, deaf: false })),
    )
    const ids = started.map(({ run }) => run!.id)
    await allEnded({ query: async (text, values) => (await client.query(text, values)).rows }, ids)
    const { rows: twice } = await client.query(
      'select run_id from millrace.attempt group by run_id having count(*) > 1',
    )
    expect(twice).toEqual([])
  } finally {
    await client.end()
    await own.close()
    await Promise.all(workers.map((worker) => worker.stop({ force: true })))
  }
}, 90_000)

test('F2 a standby that keeps old rows by its feedback, and a slot that nobody reads, are named with what they keep', async () => {
  const standby = new pg.Client({
    connectionString: server.url,
    replication: 'true',
    application_name: 'slow standby',
  } as pg.ClientConfig)
  standby.on('error', () => {})
  await standby.connect()
  const [oldest] = await server.query<{ xid: string }>('select pg_current_xact_id()::xid::text as xid')
  const { rows } = await standby.query<{ xlogpos: string }>('IDENTIFY_SYSTEM')
  await standby.query('CREATE_REPLICATION_SLOT nobody PHYSICAL RESERVE_WAL')
  const streaming = new Promise((resolve) => standby.connection.once('replicationStart', resolve))
  standby.query(`START_REPLICATION SLOT nobody PHYSICAL ${rows[0]!.xlogpos}`).catch(() => {})
  await streaming
  sendCopy(standby, feedback(Number(oldest!.xid)))
  for (const _ of Array(20)) await server.query('select pg_current_xact_id()')
  const read = async () => (await readCleaning(caller)).holders
  const holders = await until('the slot keeps rows', async () => {
    const found = await read()
    return found.some(({ name, transactions }) => name === 'nobody' && transactions >= 20) ? found : undefined
  })
  expect(holders.find(({ name }) => name === 'nobody')?.pid).toEqual(expect.any(Number))
  standby.connection.stream.destroy()
  await until('nobody reads it', async () =>
    (await read()).some(({ name, pid }) => name === 'nobody' && pid === null),
  )
  const facts = await readCleaning(caller)
  const [slot] = facts.holders.filter(({ name }) => name === 'nobody')
  expect(slot).toMatchObject({ kind: 'slot', seconds: null })
  expect(slot!.wal_bytes).toBeGreaterThan(0)
  expect(checkCleaning({ ...facts, holders: [{ ...slot!, transactions: 2_000_000 }] })).toMatchObject({
    level: 'warn',
    message: expect.stringContaining('The replication slot nobody, which nobody reads, keeps rows'),
    remedy: expect.stringContaining("pg_drop_replication_slot('nobody')"),
  })
  await server.query("select pg_drop_replication_slot('nobody')")
}, 60_000)

test('F1 F7 a transaction that stays open is named with its pid; runs make less than one multixact each, and a vacuum lets go of them', async () => {
  const holder = new pg.Client({ connectionString: server.url, application_name: 'a report' })
  holder.on('error', () => {})
  await holder.connect()
  await holder.query('begin isolation level repeatable read')
  const { rows } = await holder.query<{ pid: number }>(
    'select pg_backend_pid() as pid, count(*) from millrace.run',
  )
  const { pid } = rows[0]!
  const before = await readCleaning(caller)
  await programs.start({ database: server.url, leaseSeconds: 30, heartbeatMs: 300, slots: 10 })
  const runs = await startLoad(client, 150, 1)
  await allEnded(server, runs)
  const after = await readCleaning(caller)
  const found = after.holders.find((one) => one.pid === pid)
  expect(found).toMatchObject({ kind: 'transaction', name: 'a report' })
  expect(found!.transactions).toBeGreaterThan(20)
  expect(checkCleaning({ ...after, holders: [{ ...found!, seconds: 400 }] })).toMatchObject({
    level: 'warn',
    message: expect.stringContaining(`pid ${pid}`),
    remedy: expect.stringContaining(`pg_terminate_backend(${pid})`),
  })
  const perRun = (after.multixact_age - before.multixact_age) / runs.length
  recordFigure('F7', `${perRun.toFixed(2)} multixacts a run, ${after.multixact_age} in all`)
  expect(perRun).toBeLessThan(1)
  // Two that share a row lock make one for certain.
  const share = 'select from millrace.run where id = $1 for key share'
  await holder.query('rollback; begin')
  await holder.query(share, [runs[0]])
  await server.query(share, [runs[0]])
  await holder.query('rollback')
  await holder.end()
  const aged = await readCleaning(caller)
  expect(aged.multixact_age).toBeGreaterThan(after.multixact_age)
  expect(checkCleaning({ ...aged, holders: [], multixact_age_max: 1 })).toMatchObject({
    level: 'warn',
    message: expect.stringContaining('multixacts'),
  })
  await server.query('vacuum (freeze)')
  expect((await readCleaning(caller)).multixact_age).toBeLessThan(aged.multixact_age)
}, 60_000)

const caller: Caller = {
  call: async <Row>({ text }: { readonly text: string }, values: readonly unknown[]) =>
    (await server.query(text, [...values])) as Row[],
}

/** The driver has it, and its types forget it. */
function sendCopy(client: pg.Client, chunk: Buffer): void {
  const connection = client.connection as pg.Connection & { sendCopyFromChunk(chunk: Buffer): void }
  connection.sendCopyFromChunk(chunk)
}

/** What a standby tells of the oldest transaction that its queries may see: 'h', its clock, xmin with epoch, catalog_xmin with epoch. */
function feedback(xmin: number): Buffer {
  const message = Buffer.alloc(25)
  message.write('h', 0)
  message.writeUInt32BE(xmin, 9)
  return message
}

/** From now on no sync of this process of the server succeeds; `come` waits until it has ended for that, as the server makes it. */
async function failSyncsOf(backendType: string): Promise<{ come(): Promise<void> }> {
  const [victim] = await server.query<{ pid: number }>(
    'select pid from pg_stat_activity where backend_type = $1',
    [backendType],
  )
  const inject = ['-e', 'inject=fsync,fdatasync:error=EIO', '-o', '/dev/null']
  const tracer = spawn(strace, ['-f', '-p', `${victim!.pid}`, ...inject], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  tracer.stderr.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')))
  const ended = new Promise((resolve) => tracer.once('close', resolve))
  await until('strace is attached', () => said.includes('attached'))
  // Something to sync: a checkpoint is asked for, and what nobody waits for is left to the WAL writer.
  const work =
    backendType === 'checkpointer'
      ? 'checkpoint'
      : 'set synchronous_commit = off; create table public.unsynced (); drop table public.unsynced'
  return {
    come: async () => {
      try {
        await until('the end of the process', async () => {
          await server.query(work).catch(() => {})
          return !isThere(victim!.pid)
        })
      } finally {
        tracer.kill('SIGKILL')
        await ended
      }
    },
  }
}

const answers = (): Promise<boolean> =>
  server.query('select 1').then(
    () => true,
    () => false,
  )

const waitingCommits = async (): Promise<number> =>
  (await server.query("select from pg_stat_activity where wait_event = 'SyncRep'")).length

/** Between two starts of one caller. */
const startEachMs = 200

/** Starts runs until told to stop; what is refused while the server is down is not counted. */
function startUntilRefused(acknowledged: string[]): { stop(): void; ended: Promise<void> } {
  let stopped = false
  const one = async (n: number): Promise<void> => {
    while (!stopped) {
      const answer = await client.start(load[n % load.length]!.pipeline, { ms: 20 }).catch(() => undefined)
      if (answer !== undefined) acknowledged.push(answer.run!.id)
      // No more than the worker ends meanwhile: on a fast machine there would be tens of thousands to wait for.
      await pause(answer === undefined ? 20 : startEachMs)
    }
  }
  const ended = Promise.all(Array.from({ length: 4 * load.length }, (_, n) => one(n))).then(() => {})
  return {
    stop: () => {
      stopped = true
    },
    ended,
  }
}

/** Seconds from the readiness of the server until each of these processes has had a step completed. */
async function backAtWork(workers: readonly WorkerProgram[], ready: number): Promise<number> {
  const began = await server.query<{ at: Date }>('select clock_timestamp() as at')
  const probes = await startLoad(client, 30)
  await until('all workers at work', async () => {
    const rows = await server.query<{ pid: number }>(
      `select distinct w.process_id as pid from millrace.attempt a join millrace.worker w on w.id = a.worker_id
        where a.finished_at >= $1 and a.outcome = 'completed'`,
      [began[0]!.at],
    )
    if (workers.every(({ child }) => rows.some(({ pid }) => pid === child.pid))) return true
    probes.push(...(await startLoad(client, 30)))
    return false
  })
  const seconds = (performance.now() - ready) / 1_000
  await allEnded(server, probes, 30_000)
  return seconds
}
