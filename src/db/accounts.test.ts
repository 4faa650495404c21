// The account as the database gives it: attempts, retries, writes, pauses, and where the time went.
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { stepState } from '../core/account-steps.ts'
import { tellAccount } from '../core/account.ts'
import { width } from '../core/text-width.ts'
import { runAccount } from './accounts.ts'
import { type Caller, poolCaller } from './call.ts'

let database: TestDatabase
let caller: Caller
beforeAll(async () => {
  database = await createTestDatabase()
  caller = poolCaller(database.pool, { prepare: false, database: 'the test database' })
})
afterAll(() => database.close())

const graph = {
  key: [['state']],
  steps: [
    { name: 'search', kind: 'step', after: [] },
    { name: 'enrich', kind: 'map', over: 'search', after: ['search'], max_attempts: 3 },
    { name: 'store', kind: 'step', after: ['enrich'], tx: true },
    { name: 'mail', kind: 'step', after: ['store'], when: true },
  ],
}

/** A run whose clock the test moves; its id differs each time, so that it is named R in what is told. */
async function startRun(slug: string, steps: object, input: object | null): Promise<string> {
  await database.query('select millrace.register_pipeline($1, $2)', [slug, JSON.stringify(steps)])
  const rows = await database.query<{ run_id: string }>('select run_id from millrace.start_run($1, $2)', [
    slug,
    input,
  ])
  return at(rows, 0).run_id
}

interface Task {
  readonly task_id: number
  readonly step_id: number
  readonly attempt: number
  readonly item: number | null
}

interface Worker {
  /** With a look at what became due. */
  heartbeat(): Promise<void>
  /** What it was handed over since, and what it can claim. */
  take(): Promise<Task[]>
  complete(task: Task, output: unknown, writes?: object): Promise<void>
  skip(task: Task, reason: string): Promise<void>
  fail(task: Task, error: object, delayMs?: number): Promise<void>
  release(task: Task, reason: string): Promise<void>
}

/** A worker by hand: every verb is one call, and nothing happens between them. */
async function enterWorker(slug: string, name: string): Promise<Worker> {
  const handlers = await database.query<{ id: number }>('select id from millrace.handler where slug = $1', [
    slug,
  ])
  const ids = handlers.map(({ id }) => id)
  const worker = at(await database.query<{ id: string }>('select gen_random_uuid() as id'), 0).id
  const registered = await database.query<{ key: number }>(
    `select millrace.register_worker($1, $2, 'host-a', 4711, '1', 10, '{default}', $3, 3600) as key`,
    [worker, name, ids],
  )
  const key = at(registered, 0).key
  let handed: Task[] = []
  const call = (text: string, task: Task, values: unknown[]): Promise<(Task & { kind: string })[]> =>
    database.query(text, [worker, key, task.task_id, task.step_id, task.attempt, ...values])
  const held = '$1, $2, array[$3::bigint], array[$4::int], array[$5::int]'
  return {
    heartbeat: async () => {
      await database.query(
        `select * from millrace.heartbeat_worker($1, $2, 'idle', false, false, '{}', '{}', true, 0, '{}', '{}', '{}')`,
        [worker, key],
      )
    },
    take: async () => {
      const claimed = await database.query<Task & pg.QueryResultRow>(
        'select task_id, step_id, attempt, item from millrace.claim_tasks($1, $2, 100, $3, $4, $5)',
        [worker, key, ids, ids.map(() => 5), ids.map(() => 0)],
      )
      const taken = [...handed, ...claimed]
      handed = []
      return taken.sort((a, b) => Number(a.item) - Number(b.item))
    },
    complete: async (task, output, writes) => {
      const text = `select * from millrace.complete_tasks(${held}, array[$6::jsonb], null, array[$7::jsonb])`
      const answers = await call(text, task, [JSON.stringify(output), writes ?? null])
      handed.push(...answers.filter(({ kind }) => kind === 'next'))
    },
    skip: async (task, reason) => {
      const text = `select * from millrace.complete_tasks(${held}, array[null::jsonb], array[$6::text])`
      const answers = await call(text, task, [reason])
      handed.push(...answers.filter(({ kind }) => kind === 'next'))
    },
    fail: async (task, error, delayMs) => {
      await call(
        `select * from millrace.fail_tasks(${held}, array[$6::jsonb], array[0.5], array[$7::float8])`,
        task,
        [error, delayMs ?? null],
      )
    },
    release: async (task, reason) => {
      await call(`select * from millrace.release_tasks(${held}, $6)`, task, [reason])
    },
  }
}

const at = <T>(list: readonly T[], index: number): T => {
  const found = list[index]
  if (found === undefined) throw new Error(`The list has ${list.length} entries, and none at ${index}.`)
  return found
}

const one = <T>(list: readonly T[]): T => {
  expect(list).toHaveLength(1)
  return at(list, 0)
}

test('JQ-5 a retry stands in the account with its attempt, its delay and its reason', async () => {
  await database.clock.freeze(tomorrow('05:40:00'))
  const run = await startRun('territory-sweep', graph, { state: 'TX' })
  const worker = await enterWorker('territory-sweep', 'sweeper')
  await database.clock.advance(250)
  const search = one(await worker.take())
  await database.clock.advance(40)
  await worker.complete(search, ['DFW', 'IAH'])
  const items = await worker.take()
  await database.clock.advance(3_000)
  await worker.complete(at(items, 0), { zip: 75261 })
  await database.clock.advance(2_000)
  await worker.fail(
    at(items, 1),
    { code: 'geocoder_timeout', message: 'no answer\nwithin 5 s', retryable: true },
    28_000,
  )
  await database.clock.advance(28_000)
  await worker.heartbeat()
  await database.clock.advance(710)
  const again = one(await worker.take())
  await database.clock.advance(1_000)
  await worker.complete(again, { zip: 77032 })
  const store = one(await worker.take())
  await database.clock.advance(12)
  await worker.complete(
    store,
    { rows: 2 },
    { 'public.territory_report': { inserted: 2, updated: 0, deleted: 1 } },
  )
  await worker.skip(one(await worker.take()), 'its condition said no')
  expect(await told(run)).toMatchInlineSnapshot(`
    "Run R
    territory-sweep, version 1: completed

    Started from SQL by postgres on DAY at 05:40:00.000 UTC, run key TX.
    Completed after 35.0 s, on DAY at 05:40:35.012 UTC.

    What its steps did
      search                                                      completed in 40 ms
        05:40:00.250  attempt 1 completed in 40 ms on sweeper (4711), having waited
                      250 ms
      enrich  map over search, 2 items                           completed in 34.7 s
        2 of 2 items completed; 1 attempt at 1 item failed.
        05:40:00.290  item 0, attempt 1 completed in 3.0 s on sweeper (4711)
        05:40:00.290  item 1, attempt 1 failed after 5.0 s on sweeper (4711)
                      geocoder_timeout: no answer within 5 s
                      the next attempt 28.0 s later, at 05:40:33.290
        05:40:34.000  item 1, attempt 2 completed in 1.0 s on sweeper (4711), having
                      waited 710 ms
      store  in one transaction                                   completed in 12 ms
        05:40:35.000  attempt 1 completed in 12 ms on sweeper (4711)
                      public.territory_report: wrote 2 rows, deleted 1
      mail                                                                   skipped
        05:40:35.012  skipped: its condition said no

    Where the time went
      running                    6.0 s   17 %  █████
      in the queue              960 ms    3 %  █
      waiting for retries       28.0 s   80 %  ████████████████████████

    Its workers
      sweeper: process 4711 on host host-a
    "
  `)
})

test('an account tells who paused a run, and what a failed run left behind', async () => {
  await database.clock.freeze(tomorrow('09:00:00'))
  const steps = {
    key: [],
    steps: [
      { name: 'fetch', max_attempts: 2 },
      { name: 'keep', after: ['fetch'] },
    ],
  }
  const run = await startRun('nightly', steps, null)
  const worker = await enterWorker('nightly', 'host-a-4711')
  await worker.release(one(await worker.take()), 'the worker drains')
  await database.query('select millrace.pause_run($1, $2)', [run, 'the source is down'])
  await database.clock.advance('90 minutes')
  await database.query('select millrace.resume_run($1)', [run])
  await worker.fail(one(await worker.take()), { code: 'ECONNRESET', message: 'read ECONNRESET' }, 0)
  await worker.fail(one(await worker.take()), { code: 'http_500', message: 'The source answered 500.' })
  expect(await told(run)).toMatchInlineSnapshot(`
    "Run R
    nightly, version 1: failed

    Started from SQL by postgres on DAY at 09:00:00.000 UTC.
    Failed after 1 h 30 min, on DAY at 10:30:00.000 UTC.
    The error in fetch: http_500: The source answered 500. It is kept as a dead
      letter.

    What its steps did
      fetch                                                                   failed
        09:00:00.000  attempt 1 on host-a-4711 was given back after 0 ms: the worker
                      drains
                      it was ready again at once, and no failure was counted
        10:30:00.000  attempt 2 failed after 0 ms on host-a-4711, having waited 1 h
                      30 min
                      read ECONNRESET
                      the next attempt was ready at once
        10:30:00.000  attempt 3 failed after 0 ms on host-a-4711
                      http_500: The source answered 500
                      no further attempt
      keep                                                                 cancelled
        It never began.

    What people did
      09:00:00.000  postgres paused the run: the source is down
      10:30:00.000  postgres resumed the run

    Where the time went
      running                     0 ms    0 %
      in the queue                0 ms    0 %
      waiting for retries         0 ms    0 %
      paused                1 h 30 min  100 %  ██████████████████████████████

    Its workers
      host-a-4711: process 4711 on host host-a
    "
  `)
})

test('the account of a live run says what each task waits for, until when, and that nobody serves it', async () => {
  await database.clock.freeze(tomorrow('12:00:00'))
  const steps = {
    key: [],
    steps: [
      { name: 'list', after: [] },
      { name: 'load', kind: 'map', over: 'list', after: ['list'] },
      { name: 'report', after: ['load'], queue: 'reports' },
    ],
  }
  const run = await startRun('loading', steps, null)
  const worker = await enterWorker('loading', 'loader')
  await worker.complete(one(await worker.take()), ['a', 'b', 'c'])
  const items = await worker.take()
  await worker.fail(at(items, 0), { message: 'busy' }, 60_000)
  await database.query("select millrace.pause_pipeline('loading', 'the disk is full')")
  await database.query('update millrace.task set worker_id = null, claimed_at = null where item = 2')
  await database.query("update millrace.worker set handlers = '{}' where name = 'loader'")
  await database.clock.advance(20_000)
  expect(await told(run)).toMatchInlineSnapshot(`
    "Run R
    loading, version 1: running

    Started from SQL by postgres on DAY at 12:00:00.000 UTC.
    Has been running for 20.0 s, seen DAY at 12:00:20.000 UTC.

    What its steps did
      list                                                         completed in 0 ms
        12:00:00.000  attempt 1 completed in 0 ms on loader (4711)
      load  map over list, 3 items                                           running
        0 of 3 items completed; 1 attempt at 1 item failed.
        12:00:00.000  item 0, attempt 1 failed after 0 ms on loader (4711)
                      busy
                      the next attempt 1 min later, at 12:01:00.000
      report  queue reports                                                  pending
        It waits for load.

    Where the time went
      running                   20.0 s  100 %  ██████████████████████████████
      in the queue                0 ms    0 %
      waiting for retries         0 ms    0 %

    What it does and waits for now
      The pipeline was paused by postgres on DAY at 12:00:00.000: the disk is
        full; resume it with: npx millrace pipeline resume loading
      load item 1: attempt 1 runs since 12:00:00.000 on loader (4711)
      load item 2: ready since 12:00:00.000, and needs version 1 of 'loading' (queue
        default): no live worker serves it
      load item 0: attempt 2 begins at 12:01:00.000 (in 40.0 s), after 1 failure of
        at most 3

    Its workers
      loader: process 4711 on host host-a
    "
  `)
})

test('a map of many items is summarised: its counts, its slowest items, and the attempts that went wrong', async () => {
  await database.clock.freeze(tomorrow('15:00:00'))
  const steps = {
    key: [],
    steps: [
      { name: 'list', after: [] },
      { name: 'load', kind: 'map', over: 'list', after: ['list'], max_attempts: 9 },
    ],
  }
  const run = await startRun('wide', steps, null)
  const worker = await enterWorker('wide', 'loader')
  await worker.complete(
    one(await worker.take()),
    Array.from({ length: 60 }, (_, item) => item),
  )
  const tasks = await worker.take()
  for (const task of tasks.slice(0, 58)) {
    await database.clock.advance(10)
    await worker.complete(task, null)
  }
  await worker.fail(at(tasks, 58), { message: 'no route' }, 0)
  await worker.complete(one(await worker.take()), null)
  await worker.complete(at(tasks, 59), null)
  const account = await runAccount(caller, run)
  expect(account.attempts.listed.filter(({ step }) => step === 'load')).toHaveLength(50)
  expect(account.steps[1]).toMatchObject({
    items: 60,
    attempts: 61,
    completed: 60,
    failed: 1,
    items_with_failures: 1,
  })
  expect(await told(run)).toMatchInlineSnapshot(`
    "Run R
    wide, version 1: completed

    Started from SQL by postgres on DAY at 15:00:00.000 UTC.
    Completed after 580 ms, on DAY at 15:00:00.580 UTC.

    What its steps did
      list                                                         completed in 0 ms
        15:00:00.000  attempt 1 completed in 0 ms on loader (4711)
      load  map over list, 60 items                              completed in 580 ms
        60 of 60 items completed; 1 attempt at 1 item failed.
        The slowest: item 57 with 580 ms, item 58 with 580 ms, item 59 with 580 ms.
        15:00:00.000  item 58, attempt 1 failed after 580 ms on loader (4711)
                      no route
                      the next attempt was ready at once
        15:00:00.580  item 58, attempt 2 completed in 0 ms on loader (4711)

    Where the time went
      running                   580 ms  100 %  ██████████████████████████████
      in the queue                0 ms    0 %
      waiting for retries         0 ms    0 %

    Its workers
      loader: process 4711 on host host-a
    "
  `)
})

test('a map over a map goes over all of its items, and one that failed for good fails it until it completed after all', async () => {
  const steps = {
    key: [],
    steps: [
      { name: 'list', after: [] },
      { name: 'fetch', kind: 'map', over: 'list', fail_after: 1, max_attempts: 1 },
      { name: 'store', kind: 'map', over: 'fetch', max_attempts: 1 },
    ],
  }
  const run = await startRun('chained', steps, null)
  const worker = await enterWorker('chained', 'chainer')
  const states = async () => {
    const account = await runAccount(caller, run)
    return account.steps.map((step) => [step.step, step.items, stepState(account, step)])
  }
  await worker.complete(one(await worker.take()), [0, 1, 2, 3])
  const fetches = await worker.take()
  await worker.fail(at(fetches, 3), { message: 'no route' })
  for (const task of fetches.slice(0, 3)) await worker.complete(task, task.item)
  const stores = await worker.take()
  for (const task of stores.slice(0, 3)) await worker.complete(task, null)
  expect(await states()).toEqual([
    ['list', null, 'completed'],
    ['fetch', 4, 'completed'],
    ['store', 4, 'running'],
  ])
  await worker.fail(at(stores, 3), { message: 'no room' })
  expect((await states())[2]).toEqual(['store', 4, 'failed'])
  await database.query('select * from millrace.start_redrive($1)', [{ runs: [run] }])
  await worker.complete(one(await worker.take()), null)
  expect((await states())[2]).toEqual(['store', 4, 'completed'])
})

test('the step at which a run failed is told with its error, however many attempts came before it', async () => {
  await database.clock.freeze(tomorrow('16:00:00'))
  const maps = Array.from({ length: 21 }, (_, index) => `map-${index}`)
  const steps = {
    key: [],
    steps: [
      { name: 'list', after: [] },
      ...maps.map((name) => ({ name, kind: 'map', over: 'list' })),
      { name: 'close', after: maps, max_attempts: 1 },
    ],
  }
  const run = await startRun('many', steps, null)
  const worker = await enterWorker('many', 'many')
  await worker.complete(
    one(await worker.take()),
    Array.from({ length: 50 }, (_, item) => item),
  )
  for (let done = 0; done < 50 * maps.length; ) {
    const tasks = await worker.take()
    for (const task of tasks) await worker.complete(task, null)
    done += tasks.length
  }
  await database.clock.advance(1_000)
  await worker.fail(one(await worker.take()), { message: 'the books do not balance' })
  const account = await runAccount(caller, run)
  const close = at(account.steps, 22)
  expect(account.attempts).toMatchObject({ total: 1_052 })
  expect(account.attempts.listed).toHaveLength(1_000)
  expect(stepState(account, close)).toBe('failed')
  expect(account.attempts.listed.filter(({ step }) => step === 'close')).toMatchObject([
    { error: { message: 'the books do not balance' } },
  ])
})

test('a worker that died stands in the account with the reason why its attempt was lost', async () => {
  await database.clock.freeze(tomorrow('18:00:00'))
  const run = await startRun(
    'crashing',
    { key: [], steps: [{ name: 'only', after: [], max_attempts: 2 }] },
    null,
  )
  const gone = await enterWorker('crashing', 'first')
  await gone.take()
  const next = await enterWorker('crashing', 'second')
  await database.clock.advance('61 minutes')
  await next.heartbeat()
  await next.complete(one(await next.take()), 42)
  expect(await told(run)).toMatchInlineSnapshot(`
    "Run R
    crashing, version 1: completed

    Started from SQL by postgres on DAY at 18:00:00.000 UTC.
    Completed after 1 h 1 min, on DAY at 19:01:00.000 UTC.

    What its steps did
      only                                                    completed in 1 h 1 min
        18:00:00.000  attempt 1 was lost after 1 h 1 min: Worker 'first' is gone:
                      its lease ran out
                      the next attempt was ready at once
        19:01:00.000  attempt 2 completed in 0 ms on second (4711)

    Where the time went
      running                1 h 1 min  100 %  ██████████████████████████████
      in the queue                0 ms    0 %
      waiting for retries         0 ms    0 %

    Its workers
      first: process 4711 on host host-a
      second: process 4711 on host host-a
    "
  `)
})

test('items of a map that a worker lost together, and those that failed alike, are told together', async () => {
  await database.clock.freeze(tomorrow('19:00:00'))
  const steps = {
    key: [],
    steps: [
      { name: 'list', after: [] },
      { name: 'load', kind: 'map', over: 'list', after: ['list'], max_attempts: 3 },
    ],
  }
  const run = await startRun('losing', steps, null)
  const gone = await enterWorker('losing', 'first')
  await gone.complete(
    one(await gone.take()),
    Array.from({ length: 14 }, (_, item) => item),
  )
  const lost = await gone.take()
  await database.clock.advance(7)
  await gone.complete(at(lost, 3), null)
  const next = await enterWorker('losing', 'second')
  await database.clock.advance('61 minutes')
  await next.heartbeat()
  const again = await next.take()
  for (const task of again.slice(0, 5)) {
    await database.clock.advance(20)
    await next.fail(task, { message: 'no route' }, Number(task.item) * 100 + 500)
  }
  await next.fail(at(again, 5), { message: 'no such airport' })
  await next.fail(at(again, 6), { message: 'no such airport' })
  for (const task of again.slice(7)) await next.complete(task, null)
  expect(await told(run)).toMatchInlineSnapshot(`
    "Run R
    losing, version 1: running

    Started from SQL by postgres on DAY at 19:00:00.000 UTC.
    Has been running for 1 h 1 min, seen DAY at 20:01:00.107 UTC.

    What its steps did
      list                                                         completed in 0 ms
        19:00:00.000  attempt 1 completed in 0 ms on first (4711)
      load  map over list, 14 items                                          waiting
        7 of 14 items completed; 20 attempts at 13 items failed.
        The slowest: item 0 with 1 h 1 min, item 1 with 1 h 1 min, item 2 with 1 h 1
        min.
        19:00:00.000  13 items (0 to 2, 4 to 13): attempt 1 was lost after 1 h 1
                      min: Worker 'first' is gone: its lease ran out
                      the next attempt of each was ready at once
        20:01:00.007  5 items (0 to 2, 4 to 5): attempt 2 failed after 20 ms to 100
                      ms on second (4711)
                      no route
                      the next attempt of each 500 ms to 1.0 s later
        20:01:00.007  item 6, attempt 2 failed after 100 ms on second (4711)
                      no such airport
                      the next attempt 1 min later, at 20:02:00.107
        20:01:00.007  item 7, attempt 2 failed after 100 ms on second (4711)
                      no such airport
                      the next attempt 1 min later, at 20:02:00.107
        20:01:00.007  6 items (8 to 13): attempt 2 completed in 100 ms on second
                      (4711)

    Where the time went
      running                1 h 1 min  100 %  ██████████████████████████████
      in the queue                0 ms    0 %
      waiting for retries         0 ms    0 %

    What it does and waits for now
      load item 0: attempt 3 begins at 20:01:00.527 (in 420 ms), after 2 failures of
        at most 3
      load item 1: attempt 3 begins at 20:01:00.647 (in 540 ms), after 2 failures of
        at most 3
      load item 2: attempt 3 begins at 20:01:00.767 (in 660 ms), after 2 failures of
        at most 3
      load item 4: attempt 3 begins at 20:01:00.987 (in 880 ms), after 2 failures of
        at most 3
      load item 5: attempt 3 begins at 20:01:01.107 (in 1.0 s), after 2 failures of
        at most 3
      load item 6: attempt 3 begins at 20:02:00.107 (in 1 min), after 2 failures of
        at most 3
      load item 7: attempt 3 begins at 20:02:00.107 (in 1 min), after 2 failures of
        at most 3

    Its workers
      first: process 4711 on host host-a
      second: process 4711 on host host-a
    "
  `)
})

test('an unknown run has no account', async () => {
  await expect(runAccount(caller, '01a1fc9e-5f80-77ff-8c73-f01c878af2ee')).rejects.toMatchObject({
    code: 'run_unknown',
    message: 'There is no run 01a1fc9e-5f80-77ff-8c73-f01c878af2ee.',
  })
})

async function told(run: string): Promise<string> {
  const text = tellAccount(await runAccount(caller, run))
  for (const line of text.split('\n')) expect(width(line)).toBeLessThanOrEqual(80)
  return text.replaceAll(run, 'R').replaceAll(/\b\d{4}-\d\d-\d\d\b/g, 'DAY')
}

// Ids of runs carry the time, so that the clock can't be moved to any day. Nor to one before the server started: nobody is taken for lost so soon.
function tomorrow(time: string): string {
  return `${new Date(Date.now() + 86_400_000).toISOString().slice(0, 10)}T${time}Z`
}
