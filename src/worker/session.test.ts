// The life of a worker: its states, orders, drains, leases, and its end.
import { expect, test } from 'vitest'
import { until } from '../../test/deadline.ts'
import { openProxy } from '../../test/faults/proxy.ts'
import { Arrival, asOther, countStatements, openMillrace } from '../../test/millrace.ts'
import { attemptsOf, runOf, sweep } from '../../test/protocol.ts'
import { poolCaller } from '../db/call.ts'
import { drainWorker, pauseWorker, resumeWorker } from '../db/workers.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { schedule } from '../sdk/schedule.ts'
import type { WorkerOptions } from './options.ts'
import { beginWorker, startWorker } from './worker.ts'

const { database, opened } = await openMillrace()

const caller = () => poolCaller(database.pool, { prepare: false, database: 'test' })
const storedState = async (id: string) =>
  (await database.query<{ state: string }>('select state from millrace.worker where id = $1', [id]))[0]?.state
const outcomes = async (run: string) => (await attemptsOf(database, run)).map(({ outcome }) => outcome)

/** A pipeline of one step that begins, and ends when it is told to. */
function heldPipeline(slug: string, { ignoreAbort = true } = {}) {
  const began = new Arrival()
  const finish = new Arrival()
  const signals: AbortSignal[] = []
  const definition = pipeline(slug, { retry: { initial: 0 } }).step('hold', async ({ abort, attempt }) => {
    signals.push(abort)
    began.arrive()
    const aborted = new Promise((resolve) => abort.addEventListener('abort', resolve))
    await (ignoreAbort ? finish.come : Promise.race([finish.come, aborted]))
    return attempt
  })
  return { definition, began: began.come, finish: () => finish.arrive(), signals }
}

/** The first times that this table is written to so, that is refused with this state. Gives how often it was, and how to end it. */
async function refuseAtFirst(times: number, state: string, table: string, when: string) {
  await database.query(`
    create sequence public.refused;
    create function public.refuse() returns trigger language plpgsql as $$
    begin
      if nextval('public.refused') <= ${times} then
        raise exception 'refused at first' using errcode = '${state}';
      end if;
      return new;
    end $$;
    create trigger refuse before ${when} execute function public.refuse()`)
  return {
    /** A sequence keeps what is rolled back. */
    count: async () => {
      const [row] = await database.query<{ count: number }>(
        'select case when is_called then last_value else 0 end::int as count from public.refused',
      )
      return row!.count
    },
    end: () =>
      database.query(
        `drop trigger refuse on ${table}; drop function public.refuse(); drop sequence public.refused`,
      ),
  }
}
const refuseReleases = (times: number, state: string) =>
  refuseAtFirst(
    times,
    state,
    'millrace.attempt',
    "insert on millrace.attempt for each row when (new.outcome = 'released')",
  )
const refuseHeartbeats = (times: number, state: string) =>
  refuseAtFirst(times, state, 'millrace.worker', 'update of heartbeat_at on millrace.worker for each row')

const givenBack = (run: string) =>
  database.query('select failures, worker_id from millrace.task where run_id = $1', [run])

test('a worker is idle, running, paused, draining and gone, and the database says the same', async () => {
  const { definition, began, finish } = heldPipeline('states')
  const worker = await opened.worker({ pipelines: [definition] })
  const client = opened.client()
  expect(worker.state).toBe('idle')
  const { run } = await client.start(definition, null)
  await began
  // Twice: one that is under way was sent before.
  await worker.tick()
  await worker.tick()
  expect([worker.state, await storedState(worker.id)]).toEqual(['running', 'running'])
  expect(await pauseWorker(caller(), worker.id)).toBe(true)
  await worker.tick()
  await worker.tick()
  expect([worker.state, await storedState(worker.id)]).toEqual(['paused', 'paused'])

  const other = opened.client({ database: asOther(database.url) })
  const waiting = await other.start(definition, null)
  await worker.tick()
  expect((await runOf(database, waiting.run!.id)).state).toBe('pending')
  finish()
  expect(await client.run(run!.id).result()).toBe(1)

  expect(await resumeWorker(caller(), worker.id)).toBe(true)
  await worker.tick()
  expect(await client.run(waiting.run!.id).result()).toBe(1)
  expect(await drainWorker(caller(), worker.id)).toBe(true)
  const { id } = worker
  await worker.tick()
  await worker.stopped
  expect([worker.state, await storedState(id)]).toEqual(['gone', 'gone'])
  await expect(pauseWorker(caller(), id)).rejects.toMatchObject({ code: 'worker_unknown' })
})

test('A9 a stop lets running steps finish, takes nothing new, and the next step of a chain is left to others', async () => {
  const began = new Arrival()
  const finish = new Arrival()
  const chain = pipeline('drained')
    .step('first', async () => {
      began.arrive()
      await finish.come
      return 1
    })
    .step('second', ({ steps }) => steps.first + 1)
  const worker = await opened.worker({ pipelines: [chain] })
  const client = opened.client({ database: asOther(database.url) })
  const { run } = await client.start(chain, null)
  await began.come
  const stopped = worker.stop()
  await until('it drains', async () => (await storedState(worker.id)) === 'draining')
  const late = await client.start(chain, null)
  finish.arrive()
  await stopped
  expect(await outcomes(run!.id)).toEqual(['completed'])
  expect((await runOf(database, late.run!.id)).state).toBe('pending')
  expect(await database.query('select worker_id from millrace.task where run_id = $1', [run!.id])).toEqual([
    { worker_id: null },
  ])
  await opened.worker({ pipelines: [chain] })
  expect(await client.run(run!.id).result()).toBe(2)
  expect(await client.run(late.run!.id).result()).toBe(2)
})

test('A9 a second, forced stop gives back what still runs at once, and no attempt is used up', async () => {
  const { definition, began, signals } = heldPipeline('forced')
  const worker = await opened.worker({ pipelines: [definition], drainMs: 3_600_000 })
  const client = opened.client({ database: asOther(database.url) })
  const { run } = await client.start(definition, null)
  await began
  const stopped = worker.stop()
  await until('it drains', async () => (await storedState(worker.id)) === 'draining')
  await worker.stop({ force: true })
  await stopped
  expect(signals[0]!.aborted).toBe(true)
  expect(await outcomes(run!.id)).toEqual(['released'])
  expect(await givenBack(run!.id)).toEqual([{ failures: 0, worker_id: null }])
})

test.each([
  ['is undone for the sake of another', '40001', 1],
  ['is refused twice', '57014', 2],
] as const)(
  'A9 a stop whose giving back %s (%s) gives back again, and no attempt is used up',
  async (_, state, times) => {
    const { definition, began } = heldPipeline(`refused-${state}`)
    const worker = await opened.worker({ pipelines: [definition] })
    const client = opened.client({ database: asOther(database.url) })
    const { run } = await client.start(definition, null)
    await began
    const refusals = await refuseReleases(times, state)
    await worker.stop({ force: true })
    expect(await refusals.count()).toBe(times + 1)
    await refusals.end()
    expect(await outcomes(run!.id)).toEqual(['released'])
    expect(await givenBack(run!.id)).toEqual([{ failures: 0, worker_id: null }])
  },
)

test('A9 a stop whose time is over gives back what still runs, also a tx step that never ends', async () => {
  const began = new Arrival()
  const stuck = pipeline('stuck-tx').step('hang', { tx: true }, async ({ sql }) => {
    await sql`select 1`
    began.arrive()
    await new Promise(() => {})
  })
  const worker = await opened.worker({ pipelines: [stuck], drainMs: 0 })
  const client = opened.client({ database: asOther(database.url) })
  const { run } = await client.start(stuck, null)
  await began.come
  await worker.stop()
  expect(await outcomes(run!.id)).toEqual(['released'])
})

test('a stop ends while the database is away', async () => {
  const proxy = await openProxy(database.url)
  const { definition, began } = heldPipeline('away')
  const worker = await startWorker({
    database: proxy.through(database.url),
    pipelines: [definition],
    drainMs: 0,
  })
  const client = opened.client()
  await client.start(definition, null)
  await began
  proxy.refuse()
  proxy.cut()
  await worker.stop()
  expect(worker.state).toBe('gone')
  await proxy.close()
})

test('a forced stop does not wait for a database that has gone silent', async () => {
  const proxy = await openProxy(database.url)
  const { definition, began, signals } = heldPipeline('silent')
  const worker = await startWorker({
    database: proxy.through(database.url),
    pipelines: [definition],
    leaseSeconds: 60,
  })
  const client = opened.client()
  await client.start(definition, null)
  await began
  await worker.tick()
  proxy.blackhole()
  void worker.tick()
  const asked = performance.now()
  await worker.stop({ force: true })
  expect(performance.now() - asked).toBeLessThan(30_000)
  expect(signals[0]!.aborted).toBe(true)
  await proxy.close()
})

test('a forced stop does not wait for a worker that still begins, which leaves nothing open', async () => {
  const proxy = await openProxy(database.url)
  proxy.blackhole()
  const silent = beginWorker({ database: proxy.through(database.url), pipelines: [], log: () => {} })
  const refused = expect(silent.serving).rejects.toThrow()
  const asked = performance.now()
  await silent.worker.stop({ force: true })
  expect(performance.now() - asked).toBeLessThan(2_000)
  await proxy.close()
  await refused

  const { definition } = heldPipeline('hardly-begun')
  for (let round = 0; round < 10; round++) {
    const { worker, serving } = beginWorker({
      database: database.url,
      pipelines: [definition],
      name: 'hardly',
    })
    // So that it is found anywhere in its beginning.
    for (let turn = 0; turn < round * 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    const begun = serving.catch(() => {})
    await worker.stop({ force: true })
    await begun
    expect(worker.state).toBe('gone')
  }
  await noConnectionLeft()
})

test('A3 a worker that was swept aborts what it held, goes on under a new id, and its late success does not count', async () => {
  const { definition, began, finish, signals } = heldPipeline('zombie')
  const zombie = await opened.worker({ pipelines: [definition], leaseSeconds: 180, heartbeatMs: 60_000 })
  const client = opened.client({ database: asOther(database.url) })
  const { run } = await client.start(definition, null)
  await began
  const { id } = zombie
  await database.clock.advance('1 hour')
  await sweep(database)
  await until('it is gone', async () => (await storedState(id)) === 'gone')
  await zombie.tick()
  await until('it goes on under a new id', async () => zombie.id !== '' && zombie.id !== id)
  expect(signals[0]!.aborted).toBe(true)
  finish()
  await client.run(run!.id).result()
  expect(await outcomes(run!.id)).toEqual(['reclaimed', 'completed'])
  expect(opened.log.some(({ message }) => message.includes('goes on under a new id'))).toBe(true)
})

test('A5 a step that takes longer than the lease keeps its task, because the heartbeat began with the claim', async () => {
  const { definition, began, finish } = heldPipeline('patient')
  const worker = await opened.worker({ pipelines: [definition], leaseSeconds: 3 })
  const client = opened.client({ database: asOther(database.url) })
  const { run } = await client.start(definition, null)
  await began
  for (let turn = 0; turn < 5; turn++) {
    await database.clock.advance('2 seconds')
    await worker.tick()
    await sweep(database)
  }
  finish()
  expect(await client.run(run!.id).result()).toBe(1)
})

test('A6 handlers that hold every handler connection take none from the heartbeats', async () => {
  const finish = new Arrival()
  let running = 0
  const hungry = pipeline('hungry').step('hold', { tx: true }, async ({ sql }) => {
    await sql`select 1`
    running++
    await finish.come
  })
  const worker = await opened.worker({ pipelines: [hungry], slots: 10, connectionsMax: 10, leaseSeconds: 3 })
  const client = opened.client()
  const answers = await client.startMany(hungry, Array(10).fill(null))
  await until('all hold a connection', async () => running === 10)
  for (let turn = 0; turn < 4; turn++) {
    await database.clock.advance('2 seconds')
    await worker.tick()
    await sweep(database)
  }
  expect(await storedState(worker.id)).toBe('running')
  finish.arrive()
  await Promise.all(answers.map(({ run }) => client.run(run!.id).result()))
  expect(
    await database.query(
      "select 1 from millrace.attempt where outcome = 'reclaimed' and step = 'hold' and run_id = any ($1)",
      [answers.map(({ run }) => run!.id)],
    ),
  ).toEqual([])
})

test('A6 what is due starts while handlers hold every connection that is theirs', async () => {
  const finish = new Arrival()
  let running = 0
  const hungry = pipeline('hungrier').step('hold', { tx: true }, async ({ sql }) => {
    await sql`select 1`
    running++
    await finish.come
  })
  const due = pipeline('due').step('only', () => 1)
  const worker = await opened.worker({
    pipelines: [hungry, due],
    triggers: [schedule('each-minute', { pipeline: due, every: '60s' })],
    slots: 2,
    connectionsMax: 2,
    leaseSeconds: 180,
  })
  const client = opened.client()
  const answers = await client.startMany(hungry, [null, null])
  await until('both hold a connection', async () => running === 2)
  await database.clock.advance('61 seconds')
  await worker.tick()
  await until(
    'it was started',
    async () => (await database.query("select 1 from millrace.run where slug = 'due'")).length > 0,
  )
  expect(opened.log).toEqual([])
  finish.arrive()
  await Promise.all(answers.map(({ run }) => client.run(run!.id).result()))
})

test('a heartbeat that is refused costs the worker no connection, so that it goes on looking after others', async () => {
  const hearts = () =>
    database.query(
      "select pid from pg_stat_activity where datname = current_database() and application_name = 'millrace heartbeat'",
    )
  const worker = await opened.worker({ pipelines: [pipeline('refused-heart').step('one', () => 1)] })
  const before = await hearts()
  const refusals = await refuseHeartbeats(1, '40P01')
  await until('it has beaten again', async () => (await refusals.count()) > 1)
  await refusals.end()
  await worker.tick()
  expect(opened.log.map(({ message }) => message)).toContainEqual(expect.stringContaining('refused at first'))
  expect([before.length, await hearts()]).toEqual([1, before])
})

test('a call that is refused has brought nothing, and nobody asks what the worker holds', async () => {
  await opened.worker({ pipelines: [pipeline('unasked').step('one', () => 1)], heartbeatMs: 200 })
  const refusals = await refuseHeartbeats(1_000, '40P01')
  const statements = countStatements()
  await until('five heartbeats were refused', async () => (await refusals.count()) >= 5)
  statements.stop()
  await refusals.end()
  expect(statements.sent).not.toContain('millrace_list_held_tasks')
})

test('A8 a worker that is started again under the same name is another one, and what its predecessor held is found', async () => {
  const { definition, began, finish, signals } = heldPipeline('named')
  const first = await opened.worker({ pipelines: [definition], name: 'the-one' })
  const client = opened.client({ database: asOther(database.url) })
  const { run } = await client.start(definition, null)
  await began
  const second = await opened.worker({ pipelines: [definition], name: 'the-one' })
  expect(second.id).not.toBe(first.id)
  await first.stop({ force: true })
  await until('the second has it', async () => signals.length === 2)
  finish()
  await client.run(run!.id).result()
  expect(await outcomes(run!.id)).toEqual(['released', 'completed'])
})

test('C4 a worker that hears nothing stops itself by its own monotonic clock, a tenth of its lease before that is over', async () => {
  const proxy = await openProxy(database.url)
  const { definition, began, signals } = heldPipeline('cut-off')
  let monotonic = 0
  const worker = await startWorker({
    database: proxy.through(database.url),
    pipelines: [definition],
    leaseSeconds: 10,
    monotonic: () => monotonic,
  })
  const client = opened.client()
  await client.start(definition, null)
  await began
  const { id } = worker
  proxy.refuse()
  proxy.cut()
  monotonic += 9_001
  await worker.tick()
  await until('the handler is told', async () => signals[0]!.aborted)
  proxy.heal()
  await until(
    'it goes on under a new id',
    async () => worker.id !== '' && worker.id !== id && worker.state !== 'starting',
  )
  await worker.stop({ force: true })
  await proxy.close()
})

/** A worker that drains, beside its one step, which goes on for an hour if nobody stops it. */
async function drainingWorker(slug: string, options: Omit<WorkerOptions, 'pipelines'>) {
  const { definition, began, signals } = heldPipeline(slug)
  const log: string[] = []
  const worker = await startWorker({
    ...options,
    pipelines: [definition],
    drainMs: 3_600_000,
    log: ({ message }) => void log.push(message),
  })
  const { run } = await opened.client({ database: asOther(database.url) }).start(definition, null)
  await began
  const { id } = worker
  void worker.stop()
  await until('it drains', async () => (await storedState(id)) === 'draining')
  // The beat that told it.
  await worker.tick()
  const isGone = `Worker ${id} is gone while it stops`
  return {
    worker,
    run: run!.id,
    signals,
    saysThatItIsGone: () => log.filter((line) => line.startsWith(isGone)),
  }
}

test('C4 a worker that stops and hears nothing for most of its lease tells its steps to stop, and ends', async () => {
  const proxy = await openProxy(database.url)
  let monotonic = 0
  const { worker, signals, saysThatItIsGone } = await drainingWorker('cut-off-at-its-end', {
    database: proxy.through(database.url),
    leaseSeconds: 10,
    monotonic: () => monotonic,
  })
  proxy.refuse()
  proxy.cut()
  monotonic += 9_001
  await worker.tick()
  await until('the handler is told', async () => signals[0]!.aborted)
  await worker.stopped
  expect(saysThatItIsGone()).toHaveLength(1)
  await proxy.close()
})

test('A3 a worker that is swept while it stops tells its steps to stop, and ends', async () => {
  const { worker, run, signals, saysThatItIsGone } = await drainingWorker('swept-at-its-end', {
    database: database.url,
    leaseSeconds: 180,
    heartbeatMs: 60_000,
  })
  await database.clock.advance('1 hour')
  await sweep(database)
  await worker.tick()
  await worker.stopped
  expect(signals[0]!.aborted).toBe(true)
  expect(saysThatItIsGone()).toHaveLength(1)
  expect(await outcomes(run)).toEqual(['reclaimed'])
})

const noConnectionLeft = () =>
  until('no connection is left', async () => {
    const [row] = await database.query<{ left: number }>(
      "select count(*)::int as left from pg_stat_activity where datname = current_database() and application_name like 'millrace%'",
    )
    return row!.left === 0
  })

test('A13 workers that are started and stopped at once neither hang nor leak nor reject unheard', async () => {
  const quick = pipeline('quick').step('do', () => 1)
  const unheard: unknown[] = []
  const hear = (error: unknown) => unheard.push(error)
  process.on('unhandledRejection', hear)
  for (let round = 0; round < 10; round++) {
    const workers = await Promise.all(
      Array.from({ length: 5 }, () =>
        startWorker({ database: database.url, pipelines: [quick], slots: 1, name: 'brief' }),
      ),
    )
    await Promise.all(workers.flatMap((worker) => [worker.stop(), worker.stop({ force: round % 2 === 0 })]))
  }
  await noConnectionLeft()
  process.off('unhandledRejection', hear)
  expect(unheard).toEqual([])
  expect(
    await database.query("select 1 from millrace.worker where name = 'brief' and state <> 'gone'"),
  ).toEqual([])
})

test('a worker that is stopped while the database is away, with an outcome that nobody took, comes to rest', async () => {
  const began = new Arrival()
  const goOn = new Arrival()
  const once = pipeline('stopped-away').step('only', async () => {
    began.arrive()
    await goOn.come
  })
  const proxy = await openProxy(database.url)
  let draws = 0
  const random = () => {
    draws++
    return 0.5
  }
  const worker = await opened.worker({ pipelines: [once], database: proxy.through(database.url), random })
  await opened.client().start(once, null)
  await began.come
  proxy.refuse()
  proxy.cut()
  goOn.arrive()
  await worker.stop({ force: true })
  const drawn = draws
  // Each report of a failure draws.
  for (let turn = 0; turn < 2_000; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(draws).toBe(drawn)
  await proxy.close()
}, 60_000)

test('a worker that starts while another one keeps the upkeep for itself complains of nothing, and looks again soon', async () => {
  const other = await database.pool.connect()
  await other.query('begin; select pg_advisory_xact_lock(77422, 1)')
  const complaints: string[] = []
  const worker = await opened.worker({
    pipelines: [pipeline('looked-after').step('one', () => 1)],
    log: ({ level, message }) => void (level === 'info' || complaints.push(message)),
  })
  const waits = (count: number) =>
    until(`it has waited ${count} times`, async () => {
      const [row] = await database.query<{ asked: number }>(
        `select count(*)::int as asked from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and wait_event = 'advisory'`,
      )
      return row!.asked === count
    })
  for (const count of [1, 0, 1]) await waits(count)
  await other.query('commit')
  other.release()
  await worker.stop()
  expect(complaints).toEqual([])
})

test('a worker that is counted as gone says nothing of the calls that end with the connections that it cuts itself', async () => {
  const other = await database.pool.connect()
  await other.query('begin; select pg_advisory_xact_lock(77422, 1)')
  const complaints: string[] = []
  const worker = await opened.worker({
    pipelines: [pipeline('cut-by-itself').step('one', () => 1)],
    leaseSeconds: 180,
    heartbeatMs: 60_000,
    log: ({ level, message }) => void (level === 'info' || complaints.push(message)),
  })
  const { id } = worker
  await until('its upkeep waits', async () => {
    const waiting = await database.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and wait_event = 'advisory'`,
    )
    return waiting.length === 1
  })
  await database.clock.advance('1 hour')
  await sweep(database)
  await until('it is gone', async () => (await storedState(id)) === 'gone')
  await worker.tick()
  await until('it goes on under a new id', async () => worker.id !== '' && worker.id !== id)
  await other.query('commit')
  other.release()
  await worker.stop()
  expect(complaints).toEqual([expect.stringContaining('It goes on under a new id.')])
})

test('upkeep that the server cancels because it took too long is told, and not begun again at once as if somebody had been in its way', async () => {
  await database.query(
    `alter function millrace.prune_history(int) rename to real_prune_history;
     create function millrace.prune_history(batch int) returns table (dropped_partitions int, deleted_runs int, more boolean) language plpgsql
       as $$ begin raise exception 'It took too long.' using errcode = '57014'; end $$`,
  )
  const complained = new Arrival()
  const worker = await opened.worker({
    pipelines: [pipeline('pruned-late').step('one', () => 1)],
    log: ({ level, message }) =>
      void (level === 'error' && message.includes('too long') && complained.arrive()),
  })
  await complained.come
  await worker.stop()
  await database.query(
    'drop function millrace.prune_history(int); alter function millrace.real_prune_history(int) rename to prune_history',
  )
})
