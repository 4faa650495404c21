// Completions: chains, joins, maps, ends, and what they meet in other transactions half-way.
import { expect, test } from 'vitest'
import { findBrokenInvariants } from '../../../test/checker.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor } from '../../../test/pipeline-worker.ts'
import {
  attemptsOf,
  type ClaimedTask,
  type Connection,
  cancelRun,
  chain,
  claim,
  claimOne,
  complete,
  fail,
  heartbeat,
  newId,
  outcomesOf,
  pauseRun,
  registerPipeline,
  registerWorker,
  resumeRun,
  runOf,
  startRun,
  startRuns,
  taskOf,
  untilBlocked,
  workOff,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()

const stepNames = async (tasks: { step_id: number }[]): Promise<string[]> => {
  const rows = await database.query<{ id: number; step: string }>(
    'select id, step from millrace.step_definition',
  )
  const names = new Map(rows.map(({ id, step }) => [id, step]))
  return tasks.map(({ step_id }) => names.get(step_id) ?? '').sort()
}

test('a chain is handed on, already leased, and its last step ends the run with its output', async () => {
  await registerPipeline(database, 'chain', chain('a', 'b', 'c'))
  const worker = await workerFor(database, 'chain')
  const { run_id } = await startRun(database, 'chain')
  const first = await claimOne(database, worker)
  const [second] = await complete(database, worker, [{ task: first, output: 1 }])
  expect(second).toMatchObject({ kind: 'next', task_id: first.task_id, attempt: 1 })
  const [third] = await complete(database, worker, [{ task: taskOf(second, run_id), output: 2 }])
  const ended = await complete(database, worker, [{ task: taskOf(third, run_id), output: { n: 3 } }], {
    watched: true,
  })
  expect(ended).toMatchObject([{ kind: 'ended', run_id, output: { n: 3 } }])
  expect(await runOf(database, run_id)).toMatchObject({ state: 'completed', output: { n: 3 } })
  expect(await outcomesOf(database, run_id)).toEqual(['a completed', 'b completed', 'c completed'])
})

test('PP-C7 a completion that was recorded already, or is not of the holder, is answered as lost', async () => {
  await registerPipeline(database, 'lost', chain('a', 'b'))
  const worker = await workerFor(database, 'lost')
  await startRun(database, 'lost')
  const task = await claimOne(database, worker)
  const stranger = await workerFor(database, 'lost')
  expect(await complete(database, stranger, [{ task }])).toMatchObject([
    { kind: 'lost', task_id: task.task_id },
  ])
  expect(await complete(database, worker, [{ task: { ...task, attempt: 2 } }])).toMatchObject([
    { kind: 'lost' },
  ])
  expect(await complete(database, worker, [{ task }])).toMatchObject([{ kind: 'next' }])
  expect(await complete(database, worker, [{ task }])).toMatchObject([{ kind: 'lost' }])
})

test.each([
  ['completes', 'completed'],
  ['skips', 'completed'],
  ['fails for good', 'failed'],
])('PP-C8 a run ends when its only step %s', async (way, state) => {
  await registerPipeline(database, 'single', chain('only'))
  const worker = await workerFor(database, 'single')
  const { run_id } = await startRun(database, 'single')
  const task = await claimOne(database, worker)
  if (way === 'completes') await complete(database, worker, [{ task }])
  if (way === 'skips') await complete(database, worker, [{ task, skipReason: 'not today' }])
  if (way === 'fails for good')
    await fail(database, worker, [{ task, error: { code: 'E', message: 'no', retryable: false } }])
  expect(await runOf(database, run_id)).toMatchObject({ state, finished_at: expect.any(Date) })
  expect(await database.query('select from millrace.task where run_id = $1', [run_id])).toEqual([])
})

test('a skipped step satisfies the steps after it', async () => {
  await registerPipeline(database, 'skipped', chain('a', 'b'))
  const worker = await workerFor(database, 'skipped')
  const { run_id } = await startRun(database, 'skipped')
  const task = await claimOne(database, worker)
  const [next] = await complete(database, worker, [{ task, skipReason: 'nothing to do' }])
  expect(next).toMatchObject({ kind: 'next' })
  const attempts = await attemptsOf(database, run_id)
  expect(attempts).toMatchObject([{ step: 'a', outcome: 'skipped', output: null, reason: 'nothing to do' }])
  await complete(database, worker, [{ task: taskOf(next, run_id), output: 'b' }])
  expect((await runOf(database, run_id)).output).toBe('b')
})

test('E12 a chain is not handed to a worker that does not serve its next step', async () => {
  await registerPipeline(database, 'two-queues', [
    { name: 'a', after: [] },
    { name: 'b', after: ['a'], queue: 'gpu' },
    { name: 'c', after: ['b'], queue: 'gpu' },
    { name: 'd', after: ['b'], queue: 'default' },
  ])
  const [plain, gpu] = await database.query<{ id: number }>(
    "select id from millrace.handler where slug = 'two-queues' order by queue",
  )
  const worker = await registerWorker(database, { handlers: [plain?.id ?? 0] })
  const other_worker = await registerWorker(database, { handlers: [gpu?.id ?? 0] })
  const { run_id } = await startRun(database, 'two-queues')
  const a = await claimOne(database, worker)
  expect(await complete(database, worker, [{ task: a }], { room: 5 })).toEqual([])
  expect(await claim(database, worker, 5)).toEqual([])
  const b = await claimOne(database, other_worker)
  expect(b).toMatchObject({ run_id, attempt: 1 })
  const next = await complete(database, other_worker, [{ task: b }], { room: 5 })
  expect(await stepNames(next)).toEqual(['c'])
  expect(await stepNames(await claim(database, worker, 5))).toEqual(['d'])
  await cancelRun(database, run_id)
})

test('SH-8 in a diamond each step runs once, after all it needs, and the last joins both', async () => {
  await registerPipeline(database, 'diamond', [
    { name: 'top', after: [] },
    { name: 'left', after: ['top'] },
    { name: 'right', after: ['top'] },
    { name: 'bottom', after: ['left', 'right'] },
  ])
  const worker = await workerFor(database, 'diamond')
  const { run_id } = await startRun(database, 'diamond')
  const sides = await complete(database, worker, [{ task: await claimOne(database, worker) }], { room: 10 })
  expect(await stepNames(sides)).toEqual(['left', 'right'])
  const [left, right] = sides
  expect(await complete(database, worker, [{ task: taskOf(left, run_id) }], { room: 10 })).toEqual([])
  const bottom = await complete(database, worker, [{ task: taskOf(right, run_id) }], {
    room: 10,
  })
  expect(await stepNames(bottom)).toEqual(['bottom'])
  await complete(database, worker, [{ task: taskOf(bottom[0], run_id), output: 'end' }])
  expect(await runOf(database, run_id)).toMatchObject({ state: 'completed', output: 'end' })
})

test('several last steps give an object of their outputs by name, without those that were skipped', async () => {
  await registerPipeline(database, 'several-ends', [
    { name: 'a', after: [] },
    { name: 'b', after: ['a'] },
    { name: 'c', after: ['a'] },
    { name: 'd', kind: 'map', over: 'a', after: ['a'] },
  ])
  const worker = await workerFor(database, 'several-ends')
  const { run_id } = await startRun(database, 'several-ends')
  await workOff(database, worker, (step, task) => (step === 'a' ? [10, 20] : step === 'd' ? task.item : step))
  expect((await runOf(database, run_id)).output).toEqual({ b: 'b', c: 'c', d: [0, 1] })
})

const joined = [
  { name: 'a', after: [] },
  { name: 'b', after: [] },
  { name: 'join', after: ['a', 'b'] },
]

test('E11 both parents of a join in one batch make it ready once', async () => {
  await registerPipeline(database, 'join', joined)
  const worker = await workerFor(database, 'join')
  await startRun(database, 'join')
  const tasks = await claim(database, worker, 10)
  expect(tasks).toHaveLength(2)
  const next = await complete(
    database,
    worker,
    tasks.map((task) => ({ task })),
    { room: 10 },
  )
  expect(await stepNames(next)).toEqual(['join'])
})

test('E11 both parents of a join in two transactions at once make it ready once, whichever commits first', async () => {
  await registerPipeline(database, 'join-at-once', joined)
  const worker = await workerFor(database, 'join-at-once')
  const { run_id } = await startRun(database, 'join-at-once')
  const [a, b] = (await claim(database, worker, 10)) as [ClaimedTask, ClaimedTask]
  await one.query('begin')
  expect(await complete(one, worker, [{ task: a }])).toEqual([])
  const second = complete(other, worker, [{ task: b }], { room: 1 })
  await untilBlocked(database)
  await one.query('commit')
  expect(await stepNames(await second)).toEqual(['join'])
  expect(await database.query('select from millrace.task where run_id = $1', [run_id])).toHaveLength(1)
})

test('E11 a parent that rolls back is not counted', async () => {
  await registerPipeline(database, 'join-undone', joined)
  const worker = await workerFor(database, 'join-undone')
  await startRun(database, 'join-undone')
  const [a, b] = (await claim(database, worker, 10)) as [ClaimedTask, ClaimedTask]
  await one.query('begin')
  await complete(one, worker, [{ task: a }])
  const second = complete(other, worker, [{ task: b }], { room: 1 })
  await untilBlocked(database)
  await one.query('rollback')
  expect(await second).toEqual([])
  expect(await stepNames(await complete(database, worker, [{ task: a }], { room: 1 }))).toEqual(['join'])
})

test('E11 of a fan-in of 10,000 the last two finish at once, and the join wakes exactly once', async () => {
  await registerPipeline(database, 'fan-in', [
    { name: 'list', after: [] },
    { name: 'each', kind: 'map', over: 'list', after: ['list'] },
    { name: 'sum', after: ['each'] },
  ])
  const worker = await workerFor(database, 'fan-in')
  const { run_id } = await startRun(database, 'fan-in')
  const list = await claimOne(database, worker)
  const items = (
    await complete(database, worker, [{ task: list, output: Array.from({ length: 10_000 }, (_, n) => n) }], {
      room: 10_000,
    })
  ).map((task) => ({ ...task, run_id }))
  expect(items).toHaveLength(10_000)
  expect(items[123]).toMatchObject({ item: 123, item_value: 123 })
  const [last_but_one, last] = items.slice(-2)
  if (last_but_one === undefined || last === undefined) throw new Error('there are no items')
  for (let n = 0; n < 9_998; n += 1000) {
    const batch = items.slice(n, Math.min(n + 1000, 9_998))
    expect(
      await complete(
        database,
        worker,
        batch.map((task) => ({ task, output: task.item * 2 })),
        { room: 1 },
      ),
    ).toEqual([])
  }
  await one.query('begin')
  const before = await complete(one, worker, [{ task: last_but_one, output: 2 * 9_998 }], { room: 1 })
  const after = complete(other, worker, [{ task: last, output: 2 * 9_999 }], { room: 1 })
  await untilBlocked(database)
  await one.query('commit')
  expect(before).toEqual([])
  const next = await after
  expect(await stepNames(next)).toEqual(['sum'])
  const [read] = await database.query<{ output: number[] }>(
    "select output from millrace.read_outputs(array[$1::uuid], array['each'])",
    [run_id],
  )
  expect(read?.output).toEqual(Array.from({ length: 10_000 }, (_, n) => n * 2))
  await complete(database, worker, [{ task: taskOf(next[0], run_id), output: 'sum' }])
  expect((await runOf(database, run_id)).output).toBe('sum')
})

const mapped = [
  { name: 'list', after: [] },
  { name: 'each', kind: 'map' as const, over: 'list', after: ['list'] },
  { name: 'again', kind: 'map' as const, over: 'each', after: ['each'] },
  { name: 'last', after: ['again'] },
]

test('a map over an empty list is final at once, and so is a map over that', async () => {
  await registerPipeline(database, 'empty-map', mapped)
  const worker = await workerFor(database, 'empty-map')
  const { run_id } = await startRun(database, 'empty-map')
  const next = await complete(database, worker, [{ task: await claimOne(database, worker), output: [] }], {
    room: 5,
  })
  expect(await stepNames(next)).toEqual(['last'])
  const attempts = await attemptsOf(database, run_id)
  expect(attempts.filter(({ step }) => step !== 'list')).toMatchObject([
    { step: 'again', item: -1, outcome: 'completed', output: [] },
    { step: 'each', item: -1, outcome: 'completed', output: [] },
  ])
})

test('a map over a skipped step is skipped, and so is a map over that', async () => {
  await registerPipeline(database, 'skipped-map', mapped)
  const worker = await workerFor(database, 'skipped-map')
  const { run_id } = await startRun(database, 'skipped-map')
  const task = await claimOne(database, worker)
  const next = await complete(database, worker, [{ task, skipReason: 'closed' }], { room: 5 })
  expect(await stepNames(next)).toEqual(['last'])
  expect(await outcomesOf(database, run_id)).toEqual(['again skipped', 'each skipped', 'list skipped'])
})

test('a map over a map goes over the list of its outputs', async () => {
  await registerPipeline(database, 'nested-map', mapped)
  const worker = await workerFor(database, 'nested-map')
  const { run_id } = await startRun(database, 'nested-map')
  await workOff(database, worker, (step, task) =>
    step === 'list' ? [1, 2, 3] : step === 'last' ? 'done' : [task.item_value],
  )
  const [read] = await database.query<{ output: unknown }>(
    "select output from millrace.read_outputs(array[$1::uuid], array['again'])",
    [run_id],
  )
  expect(read?.output).toEqual([[[1]], [[2]], [[3]]])
  expect(await runOf(database, run_id)).toMatchObject({ state: 'completed', output: 'done' })
})

test('the whole output of a run may be that of a map', async () => {
  await registerPipeline(database, 'map-last', mapped.slice(0, 2))
  const worker = await workerFor(database, 'map-last')
  const full = await startRun(database, 'map-last')
  await workOff(database, worker, (step, task) => (step === 'list' ? ['x', 'y'] : task.item_value))
  expect((await runOf(database, full.run_id)).output).toEqual(['x', 'y'])
  const empty = await startRun(database, 'map-last')
  await workOff(database, worker, () => [])
  expect((await runOf(database, empty.run_id)).output).toEqual([])
  const nothing = await startRun(database, 'map-last')
  await complete(database, worker, [{ task: await claimOne(database, worker), skipReason: 'closed' }])
  expect(await runOf(database, nothing.run_id)).toMatchObject({ state: 'completed', output: null })
})

test.each([
  [{ a: 1 }, 'object'],
  ['text', 'string'],
  [null, 'null'],
  [7, 'number'],
])('a map over %j fails the run and says so; nothing beside it starts any more', async (output, kind) => {
  const slug = `no-list-${kind}`
  await registerPipeline(database, slug, [
    { name: 'list', after: [] },
    { name: 'each', kind: 'map', over: 'list', after: ['list'] },
    { name: 'beside', after: ['list'] },
    { name: 'also', kind: 'map', over: 'list', after: ['list'] },
  ])
  const worker = await workerFor(database, slug)
  const { run_id } = await startRun(database, slug)
  const task = await claimOne(database, worker)
  expect(await complete(database, worker, [{ task, output }], { room: 10 })).toEqual([])
  const run = await runOf(database, run_id)
  expect(run).toMatchObject({
    state: 'failed',
    error: { code: 'map_not_a_list', step: 'each', retryable: false },
  })
  expect(run.error?.['message']).toBe(`'each' maps over 'list', whose output is no list but ${kind}.`)
  expect(await claim(database, worker, 10)).toEqual([])
  expect(await database.query('select from millrace.dead_letter where run_id = $1', [run_id])).toHaveLength(1)
})

test('a map that fails one run leaves the other runs of its batch alone', async () => {
  await registerPipeline(database, 'neighbours', mapped.slice(0, 2))
  const worker = await workerFor(database, 'neighbours')
  const runs = [await startRun(database, 'neighbours'), await startRun(database, 'neighbours')]
  const tasks = await claim(database, worker, 2)
  const next = await complete(
    database,
    worker,
    tasks.map((task) => ({ task, output: task.run_id === runs[0]?.run_id ? 'no list' : [1, 2] })),
    { room: 5 },
  )
  expect(next.map(({ run_id, item }) => [run_id, item])).toEqual([
    [runs[1]?.run_id, 0],
    [runs[1]?.run_id, 1],
  ])
})

test('begun runs go first unless something more urgent is ready', async () => {
  await registerPipeline(database, 'urgent', chain('a', 'b'))
  const worker = await workerFor(database, 'urgent')
  await startRun(database, 'urgent', null, { priority: 5 })
  const task = await claimOne(database, worker)
  await startRun(database, 'urgent', null, { priority: 2 })
  expect(await complete(database, worker, [{ task }], { room: 5 })).toEqual([])
  expect(await claim(database, worker, 5)).toMatchObject([
    { priority: 2 },
    { priority: 5, run_id: task.run_id },
  ])
})

test('under a paused pipeline a chain parks after the step that runs, and resumes where it stopped', async () => {
  await registerPipeline(database, 'parked', chain('a', 'b'))
  const worker = await workerFor(database, 'parked')
  const { run_id } = await startRun(database, 'parked')
  const task = await claimOne(database, worker)
  await database.query("select millrace.pause_pipeline('parked')")
  expect(await complete(database, worker, [{ task, output: 'a' }], { room: 5 })).toEqual([])
  expect(await claim(database, worker, 5)).toEqual([])
  await database.query("select millrace.resume_pipeline('parked')")
  const [next] = await claim(database, worker, 5)
  expect(next).toMatchObject({ run_id, attempt: 1 })
  expect(await outcomesOf(database, run_id)).toEqual(['a completed'])
})

test('under a paused run a chain parks after the step that runs, and resumes where it stopped', async () => {
  await registerPipeline(database, 'parked-run', chain('a', 'b'))
  const worker = await workerFor(database, 'parked-run')
  const { run_id } = await startRun(database, 'parked-run')
  const task = await claimOne(database, worker)
  expect(await pauseRun(database, run_id)).toBe(true)
  expect(await pauseRun(database, run_id)).toBe(false)
  expect(await complete(database, worker, [{ task, output: 'a' }], { room: 5 })).toEqual([])
  expect(await claim(database, worker, 5)).toEqual([])
  expect(await resumeRun(database, run_id)).toBe(true)
  expect(await claim(database, worker, 5)).toMatchObject([{ run_id, attempt: 1 }])
})

test('PP-C7 a completion that meets a pause half-way is recorded, and what follows is parked', async () => {
  await registerPipeline(database, 'pause-race', chain('a', 'b'))
  const worker = await workerFor(database, 'pause-race')
  const { run_id } = await startRun(database, 'pause-race')
  const task = await claimOne(database, worker)
  await one.query('begin')
  await pauseRun(one, run_id)
  const completing = complete(other, worker, [{ task, output: 'a' }])
  await untilBlocked(database)
  await one.query('commit')
  expect(await completing).toEqual([])
  expect(await outcomesOf(database, run_id)).toEqual(['a completed'])
  expect(
    await database.query('select paused from millrace.waiting_task where run_id = $1', [run_id]),
  ).toEqual([{ paused: true }])
  await resumeRun(database, run_id)
  await workOff(database, worker)
  expect((await runOf(database, run_id)).state).toBe('completed')
})

test('PP-C7 a completion that meets a resume half-way is recorded, and what follows is ready', async () => {
  await registerPipeline(database, 'resume-race', chain('a', 'b'))
  const worker = await workerFor(database, 'resume-race')
  const { run_id } = await startRun(database, 'resume-race')
  const task = await claimOne(database, worker)
  await pauseRun(database, run_id)
  await one.query('begin')
  await resumeRun(one, run_id)
  const completing = complete(other, worker, [{ task, output: 'a' }])
  await untilBlocked(database)
  await one.query('commit')
  expect(await completing).toMatchObject([{ kind: 'next', run_id, attempt: 1 }])
})

test('PP-C7 a completion that meets a cancel half-way is recorded, and nothing follows', async () => {
  await registerPipeline(database, 'cancel-race', chain('a', 'b'))
  const worker = await workerFor(database, 'cancel-race')
  const { run_id } = await startRun(database, 'cancel-race')
  const task = await claimOne(database, worker)
  await one.query('begin')
  await cancelRun(one, run_id)
  const completing = complete(other, worker, [{ task, output: 'a' }])
  await untilBlocked(database)
  await one.query('commit')
  expect(await completing).toEqual([])
  expect((await runOf(database, run_id)).state).toBe('cancelled')
  expect(await outcomesOf(database, run_id)).toEqual(['a completed'])
  expect(await database.query('select from millrace.task where run_id = $1', [run_id])).toEqual([])
})

test('a transactional completion of a cancelled step is lost, so that its caller rolls back', async () => {
  await registerPipeline(database, 'cancelled-tx', chain('a', 'b'))
  const worker = await workerFor(database, 'cancelled-tx')
  const { run_id } = await startRun(database, 'cancelled-tx')
  const task = await claimOne(database, worker)
  await one.query('begin')
  await cancelRun(one, run_id)
  const completing = complete(other, worker, [{ task }], { transactional: true })
  await untilBlocked(database)
  await one.query('commit')
  expect(await completing).toMatchObject([{ kind: 'lost' }])
  expect(await heartbeat(database, worker, [task])).toMatchObject([
    { kind: 'order' },
    { kind: 'abort', detail: 'cancelled' },
  ])
  await fail(database, worker, [{ task }])
  expect(await outcomesOf(database, run_id)).toEqual(['a cancelled'])
})

test('a cancel and a pause that come while a chain moves on find its next step', async () => {
  await registerPipeline(database, 'moving', [...chain('a', 'b'), { name: 'c', after: ['a'] }])
  const worker = await workerFor(database, 'moving')
  for (const [end, left] of [
    [cancelRun, { aborted: 1, held: 0, parked: 0 }],
    [pauseRun, { aborted: 0, held: 1, parked: 1 }],
  ] as const) {
    const { run_id } = await startRun(database, 'moving')
    const task = await claimOne(database, worker)
    await one.query('begin')
    const [next] = await complete(one, worker, [{ task }])
    const ending = end(other, run_id)
    await untilBlocked(database)
    await one.query('commit')
    expect(await ending).toBe(true)
    expect(await claim(database, worker, 10)).toEqual([])
    const [found] = await database.query(
      `select (select count(*)::int from millrace.task where run_id = $1 and aborted_at is not null) as aborted,
              (select count(*)::int from millrace.task where run_id = $1 and paused) as held,
              (select count(*)::int from millrace.waiting_task where run_id = $1 and paused) as parked`,
      [run_id],
    )
    expect(found).toEqual(left)
    await complete(database, worker, [{ task: taskOf(next, run_id) }])
    await cancelRun(database, run_id)
  }
})

test('a failure for good and a completion of the same run that meet half-way leave a failed run without a rest', async () => {
  await registerPipeline(database, 'fail-race', [
    { name: 'a', after: [] },
    { name: 'b', after: [] },
    { name: 'c', after: ['a'] },
    { name: 'd', after: ['b', 'c'] },
  ])
  const worker = await workerFor(database, 'fail-race')
  const failure = { code: 'E', message: 'no', retryable: false }
  for (const first of ['completion', 'failure']) {
    const { run_id } = await startRun(database, 'fail-race')
    const [a, b] = (await claim(database, worker, 10)) as [ClaimedTask, ClaimedTask]
    const completing = (connection: Connection) => complete(connection, worker, [{ task: a }])
    const failing = (connection: Connection) => fail(connection, worker, [{ task: b, error: failure }])
    await one.query('begin')
    await (first === 'completion' ? completing(one) : failing(one))
    const second = first === 'completion' ? failing(other) : completing(other)
    await untilBlocked(database)
    await one.query('commit')
    await second
    expect((await runOf(database, run_id)).state).toBe('failed')
    const held = await database.query<{
      task_id: string
      step_id: number
      attempt: number
      aborted: boolean
    }>(
      `select id as task_id, step_id, attempt, aborted_at is not null as aborted from millrace.task where run_id = $1`,
      [run_id],
    )
    expect(held.every(({ aborted }) => aborted)).toBe(true)
    await complete(
      database,
      worker,
      held.map((task) => ({ task: { ...task, run_id, item: -1, item_value: null } })),
    )
    expect(await findBrokenInvariants(database)).toEqual([])
  }
})

test('two batches that end the same runs from both sides never wait in a circle', async () => {
  await registerPipeline(database, 'both-sides', joined)
  const worker = await workerFor(database, 'both-sides')
  for (let round = 0; round < 5; round++) {
    await startRuns(
      database,
      Array.from({ length: 50 }, () => ({ id: newId(), slug: 'both-sides' })),
    )
    const tasks = await claim(database, worker, 200)
    const names = await Promise.all(tasks.map(async (task) => ({ task, name: (await stepNames([task]))[0] })))
    const side = (name: string) => names.filter((entry) => entry.name === name).map(({ task }) => ({ task }))
    const answers = await Promise.all([
      complete(one, worker, side('a'), { room: 50 }),
      complete(other, worker, side('b').toReversed(), { room: 50 }),
    ])
    const next = answers.flat()
    expect(next).toHaveLength(50)
    await complete(
      database,
      worker,
      next.map((task) => ({ task })),
    )
  }
})
