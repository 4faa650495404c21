// Rules on starts: several starts become one run, no more pass than may, one of a key is in progress, whoever starts at once.
import { expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor, workerOf } from '../../../test/pipeline-worker.ts'
import {
  cancelRun,
  chain,
  claim,
  complete,
  connect,
  newId,
  promote,
  registerPipeline,
  runOf,
  type Sql,
  startRun,
  startRuns,
  sweep,
  untilBlocked,
} from '../../../test/protocol.ts'
import { defineStartRule } from '../../../test/start-rules.ts'

const { database, one, other } = await openMeeting()

const debounce = { kind: 'debounce', key: [['account']], wait_ms: 5_000, most_ms: 60_000 }
const latest = (action: string) => ({ kind: 'latest', key: [['account']], do: action })

interface Run {
  id: string
  state: string
  input: Record<string, unknown>
}

const statesOf = async (ids: string[]): Promise<string[]> =>
  Promise.all(ids.map(async (id) => (await runOf(database, id)).state))

const runsOf = (slug: string): Promise<Run[]> =>
  database.query<Run & Record<string, unknown>>(
    'select id, state, input from millrace.run where slug = $1 order by created_at, id',
    [slug],
  )

const answer = async (sql: Sql, slug: string, input: unknown, options = {}) => {
  const { created, reason, run_id: run } = await startRun(sql, slug, input, options)
  return { created, reason, run }
}

test('a debounced key begins once, some time after its last start, with the last input', async () => {
  const worker = await workerOf(database, 'debounced', chain('only'))
  await defineStartRule(database, 'debounced', 'debounce', debounce)
  await database.clock.freeze()
  const { created, run } = await answer(database, 'debounced', { account: 1, n: 1 })
  expect(created).toBe(true)
  for (const n of [2, 3]) {
    await database.clock.advance('4s')
    expect(await promote(database)).toBe(0)
    expect(await answer(database, 'debounced', { account: 1, n })).toEqual({
      created: false,
      reason: 'coalesced',
      run,
    })
  }
  await database.clock.advance('4s')
  expect(await promote(database)).toBe(0)
  await database.clock.advance('1s')
  expect(await promote(database)).toBe(1)
  const [task] = await claim(database, worker, 10)
  expect(task).toMatchObject({ run_id: run, input: { account: 1, n: 3 } })
  expect(
    await database.query('select starts from millrace.coalesced_start where run_id = $1', [run]),
  ).toEqual([{ starts: 3 }])
  await complete(database, worker, [{ task: task! }])
})

test('starts that never cease put a debounced run off no longer than the most', async () => {
  const worker = await workerOf(database, 'ceaseless', chain('only'))
  await defineStartRule(database, 'ceaseless', 'debounce', { ...debounce, most_ms: 12_000 })
  await database.clock.freeze()
  const { run } = await answer(database, 'ceaseless', { account: 1 })
  for (const n of [1, 2, 3]) {
    await database.clock.advance('4s')
    await answer(database, 'ceaseless', { account: 1, n })
  }
  expect(await promote(database)).toBe(1)
  const tasks = await claim(database, worker, 10)
  expect(tasks.map(({ run_id }) => run_id)).toEqual([run])
  await complete(
    database,
    worker,
    tasks.map((task) => ({ task })),
  )
})

test('another key, another tenant and another version are no part of a debounced run', async () => {
  await registerPipeline(database, 'apart', chain('only'))
  await defineStartRule(database, 'apart', 'debounce', debounce)
  const { run } = await answer(database, 'apart', { account: 1 })
  const starts = [
    await answer(database, 'apart', { account: 2 }),
    await answer(database, 'apart', { account: 1 }, { tenant: 'a' }),
  ]
  await registerPipeline(database, 'apart', chain('only', 'more'))
  starts.push(await answer(database, 'apart', { account: 1 }))
  expect(starts.map(({ created }) => created)).toEqual([true, true, true])
  expect(await answer(database, 'apart', { account: 1 }, { version: 1 })).toMatchObject({ created: true })
  expect(new Set([run, ...starts.map((start) => start.run)]).size).toBe(4)
  for (const { id } of await runsOf('apart')) await cancelRun(database, id)
})

test('a start that meets a debounced run just as it begins makes one of its own', async () => {
  const worker = await workerOf(database, 'meeting', chain('only'))
  await defineStartRule(database, 'meeting', 'debounce', debounce)
  await database.clock.freeze()
  const first = await answer(database, 'meeting', { account: 1, n: 1 })
  await database.clock.advance('5s')
  await one.query('begin')
  expect(await promote(one)).toBe(1)
  const second = await answer(database, 'meeting', { account: 1, n: 2 })
  await one.query('commit')
  expect(second.created).toBe(true)
  await database.clock.advance('5s')
  await promote(database)
  const tasks = await claim(database, worker, 10)
  expect(tasks.map(({ run_id, input }) => [run_id, input])).toEqual([
    [first.run, { account: 1, n: 1 }],
    [second.run, { account: 1, n: 2 }],
  ])
  await complete(
    database,
    worker,
    tasks.map((task) => ({ task })),
  )
})

test('two starts of a debounced key at once are one run, and one that is rolled back leaves nothing', async () => {
  await registerPipeline(database, 'at-once', chain('only'))
  await defineStartRule(database, 'at-once', 'debounce', debounce)
  await one.query('begin')
  const first = await answer(one, 'at-once', { account: 1, n: 1 })
  const second = answer(other, 'at-once', { account: 1, n: 2 })
  await untilBlocked(database)
  // Nobody but its own key waits for it.
  expect(await answer(database, 'at-once', { account: 2 })).toMatchObject({ created: true })
  await one.query('commit')
  expect(await second).toEqual({ created: false, reason: 'coalesced', run: first.run })

  await one.query('begin')
  await answer(one, 'at-once', { account: 1, n: 3 })
  const last = answer(other, 'at-once', { account: 3, n: 4 })
  expect((await last).created).toBe(true)
  await one.query('rollback')
  const runs = await runsOf('at-once')
  expect(runs.find(({ id }) => id === first.run)!.input).toEqual({ account: 1, n: 2 })
  for (const { id } of runs) await cancelRun(database, id)
})

test('starts of one batch become one run with the last input', async () => {
  await registerPipeline(database, 'batched', chain('only'))
  await defineStartRule(database, 'batched', 'debounce', debounce)
  const starts = Array.from({ length: 100 }, (_, n) => ({
    id: newId(),
    slug: 'batched',
    input: { account: n % 2, n },
  }))
  const answers = await startRuns(database, starts)
  expect(answers).toHaveLength(98)
  expect(new Set(answers.map(({ reason }) => reason))).toEqual(new Set(['coalesced']))
  expect(new Set(answers.map(({ live_run_id }) => live_run_id))).toEqual(
    new Set([starts[0]!.id, starts[1]!.id]),
  )
  // The same call, asked again because its answer was lost.
  expect(await startRuns(database, starts)).toHaveLength(98)
  const runs = await runsOf('batched')
  expect(runs.map(({ input }) => input['n']).sort()).toEqual([98, 99])
  for (const { id } of runs) await cancelRun(database, id)
})

test('an idempotency key of a start that went into another run is answered with that run', async () => {
  await registerPipeline(database, 'idempotent', chain('only'))
  await defineStartRule(database, 'idempotent', 'debounce', debounce)
  const { run } = await answer(database, 'idempotent', { account: 1 })
  const options = { idempotencyKey: 'k' }
  expect(await answer(database, 'idempotent', { account: 1, n: 2 }, options)).toMatchObject({
    reason: 'coalesced',
  })
  expect(await answer(database, 'idempotent', { account: 1, n: 2 }, options)).toEqual({
    created: false,
    reason: 'repeated',
    run,
  })
  await cancelRun(database, run)
})

test('a run key that is part of the debounced key takes in starts until its run begins', async () => {
  await registerPipeline(database, 'run-keyed', chain('only'), [['account']])
  const worker = await workerFor(database, 'run-keyed')
  await defineStartRule(database, 'run-keyed', 'debounce', debounce)
  await database.clock.freeze()
  const { run } = await answer(database, 'run-keyed', { account: 1, n: 1 })
  expect(await answer(database, 'run-keyed', { account: 1, n: 2 })).toMatchObject({
    reason: 'coalesced',
    run,
  })
  await database.clock.advance('5s')
  await promote(database)
  const [task] = await claim(database, worker, 1)
  expect(await answer(database, 'run-keyed', { account: 1, n: 3 })).toMatchObject({ reason: 'live', run })
  expect(task!.input).toEqual({ account: 1, n: 2 })
  await complete(database, worker, [{ task: task! }])
})

test('a throttle lets as many pass in any span of its time as it says, and tells when the next one would', async () => {
  await registerPipeline(database, 'throttled', chain('only'))
  const rule = { kind: 'throttle', key: [['account']], starts: 2, per_ms: 60_000 }
  await defineStartRule(database, 'throttled', 'throttle', rule)
  await database.clock.freeze()
  await answer(database, 'throttled', { account: 1 })
  await database.clock.advance('50s')
  const [{ at }] = (await database.query<{ at: Date }>('select millrace.now() as at')) as [{ at: Date }]
  expect(await answer(database, 'throttled', { account: 1 })).toMatchObject({ created: true })
  const [refused] = await database.query('select * from millrace.start_run($1, $2)', [
    'throttled',
    { account: 1 },
  ])
  expect(refused).toEqual({
    created: false,
    reason: 'limit',
    run_id: null,
    rule: 'throttle',
    passes_at: new Date(at.getTime() + 10_000),
  })
  await database.clock.advance('10s')
  expect(await answer(database, 'throttled', { account: 1 })).toMatchObject({ created: true })
  expect(await answer(database, 'throttled', { account: 1 })).toMatchObject({ reason: 'limit' })
})

test('a throttle is exact under many starts at once', async () => {
  await registerPipeline(database, 'stormed', chain('only'))
  await defineStartRule(database, 'stormed', 'throttle', { kind: 'throttle', starts: 10, per_ms: 3_600_000 })
  const sessions = await Promise.all(Array.from({ length: 6 }, () => connect(database)))
  const answers = await Promise.all(
    sessions.map(async (sql) => {
      const given = []
      for (let n = 0; n < 10; n += 1) given.push(await answer(sql, 'stormed', { n }))
      return given
    }),
  )
  await Promise.all(sessions.map((sql) => sql.end()))
  expect(answers.flat().filter(({ created }) => created)).toHaveLength(10)
})

test('FO-6 what goes beyond one start an hour and company becomes one later run, and is not lost', async () => {
  const worker = await workerOf(database, 'hourly', chain('only'))
  const rule = { kind: 'throttle', key: [['company']], starts: 1, per_ms: 3_600_000, surplus: 'coalesce' }
  await defineStartRule(database, 'hourly', 'throttle', rule)
  await database.clock.freeze()
  const first = await answer(database, 'hourly', { company: 'a', n: 0 })
  const later = await answer(database, 'hourly', { company: 'a', n: 1 })
  expect(later.created).toBe(true)
  for (const n of [2, 3]) {
    await database.clock.advance('20m')
    expect(await answer(database, 'hourly', { company: 'a', n })).toMatchObject({
      reason: 'coalesced',
      run: later.run,
    })
  }
  const begun = await claim(database, worker, 10)
  expect(begun.map(({ run_id }) => run_id)).toEqual([first.run])
  await database.clock.advance('20m')
  await promote(database)
  const [task] = await claim(database, worker, 10)
  expect(task).toMatchObject({ run_id: later.run, input: { company: 'a', n: 3 } })
  await complete(
    database,
    worker,
    [...begun, task!].map((done) => ({ task: done })),
  )
  // The next one is an hour after that, and no sooner.
  const next = await answer(database, 'hourly', { company: 'a', n: 4 })
  expect(next.created).toBe(true)
  await database.clock.advance('59m')
  expect(await promote(database)).toBe(0)
  await cancelRun(database, next.run)
})

test('a newcomer is refused while a run of its key is in progress', async () => {
  const worker = await workerOf(database, 'single', chain('only'))
  await defineStartRule(database, 'single', 'latest', latest('reject newcomer'))
  await one.query('begin')
  const first = await answer(one, 'single', { account: 1 })
  const second = answer(other, 'single', { account: 1 })
  await untilBlocked(database)
  await one.query('commit')
  expect(await second).toEqual({ created: false, reason: 'live', run: first.run })
  const [task] = await claim(database, worker, 1)
  expect(await answer(database, 'single', { account: 1 })).toMatchObject({ reason: 'live' })
  await complete(database, worker, [{ task: task! }])
  const next = await answer(database, 'single', { account: 1 })
  expect(next.created).toBe(true)
  await cancelRun(database, next.run)
})

test('a newcomer that takes the place of a run begins once that one has ended, and the account of both says so', async () => {
  const worker = await workerOf(database, 'replaced', chain('only'))
  await defineStartRule(database, 'replaced', 'latest', latest('cancel other'))
  const first = await answer(database, 'replaced', { account: 1, n: 1 })
  const [held] = await claim(database, worker, 1)
  const second = await answer(database, 'replaced', { account: 1, n: 2 })
  expect(second.created).toBe(true)
  const third = await answer(database, 'replaced', { account: 1, n: 3 })
  const runs = [first.run, second.run, third.run]
  expect(await statesOf(runs)).toEqual(['running', 'pending', 'pending'])
  await sweep(database)
  await promote(database)
  // Its handler has not ended: nothing else of the key begins.
  expect(await claim(database, worker, 10)).toEqual([])
  await complete(database, worker, [{ task: held! }])
  await sweep(database)
  await sweep(database)
  await promote(database)
  const begun = await claim(database, worker, 10)
  expect(begun.map(({ run_id }) => run_id)).toEqual([third.run])
  expect(await statesOf(runs)).toEqual(['cancelled', 'cancelled', 'running'])
  const events = await database.query(
    'select run_id, kind, detail from millrace.event where run_id = any ($1::uuid[]) order by id',
    [[first.run, third.run]],
  )
  expect(events).toEqual(
    expect.arrayContaining([
      {
        run_id: first.run,
        kind: 'run.cancelled',
        detail: { reason: `run ${second.run} took its place, by rule 'latest' on starts` },
      },
      { run_id: third.run, kind: 'run.took_place', detail: { of: second.run, rule: 'latest' } },
    ]),
  )
  expect(await database.query('select * from millrace.held_start')).toEqual([])
  await complete(
    database,
    worker,
    begun.map((task) => ({ task })),
  )
})

test('of one batch that takes its own places only the last one begins', async () => {
  const worker = await workerOf(database, 'batch-replaced', chain('only'))
  await defineStartRule(database, 'batch-replaced', 'latest', latest('cancel other'))
  const starts = Array.from({ length: 20 }, (_, n) => ({
    id: newId(),
    slug: 'batch-replaced',
    input: { account: 1, n },
  }))
  expect(await startRuns(database, starts)).toEqual([])
  await sweep(database)
  await promote(database)
  const begun = await claim(database, worker, 100)
  expect(begun.map(({ run_id }) => run_id)).toEqual([starts.at(-1)!.id])
  await complete(
    database,
    worker,
    begun.map((task) => ({ task })),
  )
})

test('no more runs of a key wait than its cap says, whoever starts at once', async () => {
  const worker = await workerOf(database, 'capped', chain('only'))
  await startRun(database, 'capped', { account: 1 })
  await defineStartRule(database, 'capped', 'waiting', { kind: 'waiting', key: [['account']], most: 10 })
  const sessions = await Promise.all(Array.from({ length: 5 }, () => connect(database)))
  const answers = await Promise.all(
    sessions.map(async (sql) => {
      const given = []
      for (let n = 0; n < 5; n += 1) given.push(await answer(sql, 'capped', { account: 1, n }))
      return given
    }),
  )
  await Promise.all(sessions.map((sql) => sql.end()))
  // One was there before the rule was.
  expect(answers.flat().filter(({ created }) => created)).toHaveLength(9)
  expect(new Set(answers.flat().map(({ reason }) => reason))).toEqual(new Set([null, 'limit']))
  const begun = await claim(database, worker, 3)
  const batch = await startRuns(
    database,
    Array.from({ length: 5 }, (_, n) => ({ id: newId(), slug: 'capped', input: { account: 1, n } })),
  )
  expect(batch.map(({ reason }) => reason)).toEqual(['limit', 'limit'])
  expect(begun).toHaveLength(3)
  for (const { id } of await runsOf('capped')) await cancelRun(database, id)
})

test('a start that one rule refuses counts for no other', async () => {
  await registerPipeline(database, 'several', chain('only'))
  await defineStartRule(database, 'several', 'by-account', {
    kind: 'throttle',
    key: [['account']],
    starts: 1,
    per_ms: 3_600_000,
  })
  await defineStartRule(database, 'several', 'throttle', { kind: 'throttle', starts: 2, per_ms: 3_600_000 })
  const options = { idempotencyKey: 'k' }
  expect(await answer(database, 'several', { account: 1 })).toMatchObject({ created: true })
  expect(await answer(database, 'several', { account: 1 }, options)).toMatchObject({ reason: 'limit' })
  expect(await answer(database, 'several', { account: 2 })).toMatchObject({ created: true })
  expect(await answer(database, 'several', { account: 3 })).toMatchObject({ reason: 'limit' })
  // The refused start has used up no idempotency key.
  expect(await answer(database, 'several', { account: 1, other: true }, options)).toMatchObject({
    reason: 'limit',
  })
})

test('batches whose keys cross wait for each other in no circle', async () => {
  await registerPipeline(database, 'crossing', chain('only'))
  await defineStartRule(database, 'crossing', 'debounce', debounce)
  await defineStartRule(database, 'crossing', 'waiting', { kind: 'waiting', key: [['n']], most: 1_000 })
  const sessions = await Promise.all(Array.from({ length: 4 }, () => connect(database)))
  await Promise.all(
    sessions.map(async (sql, session) => {
      for (let round = 0; round < 10; round += 1) {
        const starts = Array.from({ length: 20 }, (_, n) => ({
          id: newId(),
          slug: 'crossing',
          input: { account: session % 2 === 0 ? n : 19 - n, n: (n * 7 + session) % 20 },
        }))
        await startRuns(sql, starts)
      }
    }),
  )
  await Promise.all(sessions.map((sql) => sql.end()))
  const runs = await runsOf('crossing')
  expect(runs.length).toBe(20)
  const [counted] = await database.query<{ starts: number }>(
    'select sum(starts)::int as starts from millrace.coalesced_start where run_id = any ($1::uuid[])',
    [runs.map(({ id }) => id)],
  )
  expect(counted).toEqual({ starts: 800 })
  for (const { id } of runs) await cancelRun(database, id)
})

test('a start in an open transaction that takes the place of a run does not hold up the worker that has it', async () => {
  const worker = await workerOf(database, 'unhindered', chain('only'))
  await defineStartRule(database, 'unhindered', 'latest', latest('cancel other'))
  const first = await answer(database, 'unhindered', { account: 1, n: 1 })
  const [held] = await claim(database, worker, 1)
  await one.query('begin')
  const second = await answer(one, 'unhindered', { account: 1, n: 2 })
  await complete(database, worker, [{ task: held! }])
  await one.query('commit')
  await sweep(database)
  await promote(database)
  expect(await statesOf([first.run, second.run])).toEqual(['completed', 'pending'])
  const begun = await claim(database, worker, 1)
  expect(begun.map(({ run_id }) => run_id)).toEqual([second.run])
  await complete(
    database,
    worker,
    begun.map((task) => ({ task })),
  )
})

test('a copy is refused while a run of its key is in progress, and is asked no other rule', async () => {
  const worker = await workerOf(database, 'copied', chain('only'))
  await defineStartRule(database, 'copied', 'latest', latest('cancel other'))
  await defineStartRule(database, 'copied', 'throttle', { kind: 'throttle', starts: 1, per_ms: 3_600_000 })
  const { run } = await answer(database, 'copied', { account: 1 })
  const rerun = async () =>
    (
      await database.query<{ created: boolean; refusal: string; detail: string }>(
        'select created, refusal, detail from millrace.rerun_run($1, $2)',
        [run, newId()],
      )
    )[0]!
  const [task] = await claim(database, worker, 1)
  expect(await rerun()).toMatchObject({
    created: false,
    detail: `Rule 'latest' on starts stands against it: run ${run} is in progress.`,
  })
  await complete(database, worker, [{ task: task! }])
  expect(await rerun()).toMatchObject({ created: true })
  const [again] = await claim(database, worker, 1)
  await complete(database, worker, [{ task: again! }])
})
