// Networks that fail: connections that are ended, that only look alive, and a worker that is cut off from its database.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Client, connect } from '../../src/sdk/client.ts'
import { createTestDatabase, type TestDatabase } from '../database.ts'
import { allEnded, expectLoadDone, expectSound, recordFigure, startLoad } from './effects.ts'
import { effectTable, holdPipelines } from './pipelines.ts'
import { openProxy, type Proxy } from './proxy.ts'
import { until } from '../deadline.ts'
import { type WorkerProgram, WorkerPrograms } from './worker-program.ts'

const { hold, holdTransaction } = holdPipelines(() => {})

let database: TestDatabase
let client: Client
let proxy: Proxy
const programs = new WorkerPrograms()

beforeAll(async () => {
  database = await createTestDatabase()
  await database.query(effectTable)
  client = connect({ database: database.url })
  proxy = await openProxy(database.url)
})
afterEach(async () => {
  proxy.heal()
  await programs.killAll()
  proxy.delay(0)
})
afterAll(async () => {
  await client.close()
  await proxy.close()
  await database.close()
})

const direct = () => ({ database: database.url, leaseSeconds: 3, heartbeatMs: 300, slots: 4 })
const proxied = () => ({ ...direct(), database: proxy.through(database.url) })

test('B3 the listening backend alone is ended: the worker polls meanwhile, listens again, and takes its lock again', async () => {
  const worker = await programs.start(direct())
  await until('a locked worker', () => isLocked(worker))
  const [before] = await listeners()
  const began = performance.now()
  await database.query('select pg_terminate_backend($1)', [before])
  const runs = await startLoad(client, 6)
  await until('another listener', async () => (await listeners()).some((pid) => pid !== before))
  recordFigure('B3', `listens again after ${(performance.now() - began).toFixed(0)} ms`)
  expect(performance.now() - began).toBeLessThan(15_000)
  await until('its lock', () => isLocked(worker))
  await allEnded(database, runs)
  await expectLoadDone(database, runs)
  expect(await reclaimed(runs)).toEqual([])
}, 40_000)

test('B3 all backends of a worker are ended, again and again, and each effect happens once', async () => {
  await programs.start(direct())
  const runs: string[] = []
  for (let times = 0; times < 5; times++) {
    runs.push(...(await startLoad(client, 30, 10)))
    await database.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like 'millrace %' and application_name <> 'millrace client'",
    )
  }
  await allEnded(database, runs, 30_000)
  await expectLoadDone(database, runs)
}, 60_000)

test('B4 a listening connection that only looks alive is found by its ping, and replaced', async () => {
  const worker = await programs.start({
    ...direct(),
    directDatabase: proxy.through(database.url),
    pingMs: 1_000,
  })
  await until('a locked worker', () => isLocked(worker))
  const [before] = await listeners()
  proxy.blackhole()
  const began = performance.now()
  await until('an unlocked worker', async () => !(await isLocked(worker)))
  const runs = await startLoad(client, 3)
  await allEnded(database, runs, 5_000)
  proxy.heal()
  await until('another listener', async () => (await listeners()).some((pid) => pid !== before))
  await until('its lock', () => isLocked(worker))
  recordFigure(
    'B4',
    `a half-open listener was found and replaced in ${((performance.now() - began) / 1_000).toFixed(1)} s with pings each second`,
  )
  expect(await reclaimed(runs)).toEqual([])
  await expectLoadDone(database, runs)
}, 60_000)

test('B4 a pooled connection of a client that only looks alive is given up when no answer comes, and the start is asked for again: one run', async () => {
  const own = connect({ database: proxy.through(database.url), answerTimeoutMs: 500 })
  await own.run((await own.start(hold, { ms: 1, deaf: false })).run!).cancel()
  const silent = proxy.loseAnswerTo('millrace_start_runs')
  const answer = own.start(hold, { ms: 1, deaf: false })
  await silent
  const began = performance.now()
  const { created, run } = await answer
  recordFigure(
    'B4',
    `a half-open connection of a client was given up, and the start answered, after ${(performance.now() - began).toFixed(0)} ms`,
  )
  expect(created).toBe(true)
  expect(
    await database.query("select id from millrace.run where slug = 'fault-hold' and finished_at is null"),
  ).toEqual([{ id: run!.id }])
  await own.run(run!).cancel()
  await own.close()
}, 60_000)

test('C4 B4 a worker that is cut off stops itself before its lease is over, another one finishes, and nothing happens twice', async () => {
  const cutOff = await programs.start(proxied())
  // It is there already, so that nothing but the cut comes between a handler's beginning and its end.
  const heir = await programs.start(direct())
  await database.query('select millrace.pause_worker($1)', [heir.worker])
  const writing = (await client.start(holdTransaction, { ms: 60_000 })).run!
  const holding = (await client.start(hold, { ms: 1_500, deaf: false })).run!
  await cutOff.said('began', { run: writing.id })
  await cutOff.said('began', { run: holding.id })
  proxy.blackhole()
  await database.query('select millrace.resume_worker($1)', [heir.worker])
  const aborted = await cutOff.said('aborted', { run: writing.id })
  await cutOff.said('ended', { run: holding.id, attempt: 1 })
  // Its half-open transaction is the server's to end; whoever comes next must not wait for it.
  const began = await heir.said('began', { run: writing.id, attempt: 2 })
  const [lease] = await database.query<{ expires_ms: number }>(
    'select (extract(epoch from lease_expires_at) * 1000)::float8 as expires_ms from millrace.worker where id = $1',
    [cutOff.worker],
  )
  expect(aborted.at).toBeLessThan(lease!.expires_ms)
  expect(began.at).toBeGreaterThanOrEqual(Math.floor(lease!.expires_ms))
  await allEnded(database, [holding.id])

  proxy.heal()
  const healed = performance.now()
  await until('the worker that was cut off', () => isBack(cutOff))
  recordFigure(
    'C4',
    `registered again ${((performance.now() - healed) / 1_000).toFixed(1)} s after the network came back`,
  )
  const runs = await startLoad(client, 6)
  await allEnded(database, runs)
  await client.run(writing).cancel()
  await until(
    'nothing held',
    async () =>
      (await database.query('select from millrace.task where run_id = $1', [writing.id])).length === 0,
  )
  expect(await database.query('select from public.effect where run_id = $1', [writing.id])).toEqual([])
  expect(await outcomes(holding.id)).toEqual(['reclaimed', 'completed'])
  await expectLoadDone(database, runs)
  await expectSound(database, [writing.id, holding.id])
}, 90_000)

test('C3 with 300 ms of latency no lease is lost, and a load six times as large ends at a higher rate', async () => {
  const worker = await programs.start({ ...proxied(), slots: 60 })
  proxy.delay(150)
  const timed = async (size: number) => {
    const began = performance.now()
    const runs = await startLoad(client, size, 1)
    await allEnded(database, runs, 30_000)
    await expectLoadDone(database, runs)
    expect(await reclaimed(runs)).toEqual([])
    return (size * 1_000) / (performance.now() - began)
  }
  const [few, many] = [await timed(6), await timed(36)]
  recordFigure('C3', `${few.toFixed(1)} runs/s of 6, ${many.toFixed(1)} of 36, each way 150 ms`)
  expect(many).toBeGreaterThan(1.5 * few)
  expect(worker.logs).toEqual([])
}, 60_000)

test('C5 a worker that fires schedules is cut off and comes back: others fire meanwhile, and it fires alone after; no slot is left out or doubled', async () => {
  const cutOff = await programs.start(proxied())
  const everySecond = `select millrace.define_schedule('c5', 'fault-chain', '{"every_ms": 1000, "catch_up": "all", "overlap": "allow", "input": {"ms": 1}}'::jsonb)`
  await database.query(everySecond)
  await slotsFiredBy(cutOff, 2)
  const heir = await programs.start(direct())
  // It never hears that it has fired.
  await proxy.loseAnswerTo('fire_schedules')
  proxy.blackhole()
  await until('it stops itself', () => cutOff.logs.some(({ message }) => message?.includes('is gone')))
  await slotsFiredBy(heir, 2)
  proxy.heal()
  await until('it is back', () => isBack(cutOff))
  await heir.kill()
  await slotsFiredBy(cutOff, 2)
  await database.query("select millrace.remove_schedule('c5')")
  const [slots] = await database.query<{ fired: number; between: number; most: number }>(
    `select count(*)::int as fired, (extract(epoch from max(slot_at) - min(slot_at)))::int + 1 as between, max(times)::int as most
       from (select f.slot_at, count(*) as times from millrace.firing f where f.reason is null group by f.slot_at) s`,
  )
  expect(slots).toEqual({ fired: slots!.between, between: slots!.between, most: 1 })
}, 60_000)

test('F5 a listener that never reads is ended by the server, and listens again once it can', async () => {
  const worker = await programs.start({ ...direct(), leaseSeconds: 30, pingMs: 1_000 })
  await until('a locked worker', () => isLocked(worker))
  const [deaf] = await listeners()
  worker.signal('SIGSTOP')
  const began = performance.now()
  // More than the buffers between the two hold, each text another one, so that none counts as said already.
  await database.query(
    "select pg_notify('millrace_data', n || repeat('x', 7900)) from generate_series(1, 3000) n",
  )
  await until('the server waits for it to read', async () => (await waitsFor(deaf!)) === 'ClientWrite')
  await until('the server has ended it', async () => (await waitsFor(deaf!)) === undefined)
  recordFigure(
    'F5',
    `a listener that does not read is ended after ${((performance.now() - began) / 1_000).toFixed(1)} s, with pings each second`,
  )
  worker.signal('SIGCONT')
  await until('another listener', async () => (await listeners()).some((pid) => pid !== deaf))
}, 60_000)

async function waitsFor(pid: number): Promise<string | null | undefined> {
  const [row] = await database.query<{ wait_event: string | null }>(
    'select wait_event from pg_stat_activity where pid = $1',
    [pid],
  )
  return row?.wait_event
}

/** Until a worker of this process has begun so many runs of the schedule more than now. */
async function slotsFiredBy({ child }: WorkerProgram, more: number): Promise<void> {
  const begun = async () => {
    const [row] = await database.query<{ runs: number }>(
      `select count(distinct a.run_id)::int as runs from millrace.attempt a join millrace.worker w on w.id = a.worker_id
        join millrace.firing f on f.run_id = a.run_id where w.process_id = $1`,
      [child.pid],
    )
    return row!.runs
  }
  const before = await begun()
  await until(`${more} more slots`, async () => (await begun()) >= before + more)
}

async function listeners(): Promise<number[]> {
  const rows = await database.query<{ pid: number }>(
    "select pid from pg_stat_activity where datname = current_database() and application_name = 'millrace listener' and query not like 'listen%' order by backend_start desc",
  )
  return rows.map(({ pid }) => pid)
}

async function isLocked({ worker }: WorkerProgram): Promise<boolean> {
  const [row] = await database.query<{ locked: boolean }>(
    'select locked from millrace.worker where id = $1',
    [worker],
  )
  return row?.locked === true
}

/** Whether it is registered again, under another id. */
async function isBack({ child, worker }: WorkerProgram): Promise<boolean> {
  const rows = await database.query(
    "select id from millrace.worker where process_id = $1 and state in ('idle', 'running')",
    [child.pid],
  )
  return rows.some(({ id }) => id !== worker)
}

async function outcomes(run: string): Promise<string[]> {
  const rows = await database.query<{ outcome: string }>(
    'select outcome from millrace.attempt where run_id = $1 order by attempt',
    [run],
  )
  return rows.map(({ outcome }) => outcome)
}

const reclaimed = (runs: readonly string[]) =>
  database.query(
    "select run_id, step, error from millrace.attempt where run_id = any ($1) and outcome = 'reclaimed'",
    [runs],
  )
