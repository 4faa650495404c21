// Steps that failed for good: what onError and failAfter make of them, and what joins make of that.
import { beforeAll, describe, expect, test } from 'vitest'
import type { TestDatabase } from '../../../test/database.ts'
import { until } from '../../../test/deadline.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import {
  attemptsOf,
  type ClaimedTask,
  type Connection,
  chain,
  claim,
  claimOne,
  complete,
  connect,
  fail,
  outcomesOf,
  pauseRun,
  promote,
  registerPipeline,
  registerWorker,
  resumeRun,
  runOf,
  type StepSpec,
  startRun,
  startStep,
  sweep,
  untilBlocked,
  type Worker,
  workOff,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()
beforeAll(async () => {
  await database.clock.freeze()
  await database.clock.advance('1 day')
})

const permanent = { code: 'Away', message: 'The service is away.', retryable: false }

const failFor = (worker: Worker, tasks: ClaimedTask[], sql = database as TestDatabase | Connection) =>
  fail(
    sql,
    worker,
    tasks.map((task) => ({ task, error: permanent })),
  )

const outputsOf = async (run: string, steps: string[]) =>
  database.query<{ step: string; outcome: string; output: unknown; gaps: number[] | null }>(
    'select step, outcome, output, gaps from millrace.read_outputs(array_fill($1::uuid, array[cardinality($2::text[])]), $2) order by step',
    [run, steps],
  )

/** What a completion leased to the worker lies ready again. */
const giveBack = (worker: Worker) =>
  database.query(
    'update millrace.task set worker_id = null, claimed_at = null, attempt = attempt - 1 where worker_id = $1',
    [worker.id],
  )

/** A chain whose middle step may fail. */
const around = (middle: Partial<StepSpec>): StepSpec[] => {
  const [before, step, after] = chain('before', 'middle', 'after')
  return [before!, { ...step!, ...middle }, after!]
}

/** Claims and completes the first step of such a chain. */
async function untilMiddle(worker: Worker): Promise<ClaimedTask> {
  await complete(database, worker, [{ task: await claimOne(database, worker), output: 'before' }])
  await giveBack(worker)
  return claimOne(database, worker)
}

describe('FO-16 onError', () => {
  test.each([
    ['skip', 'skip' as const, 'skipped', null],
    ['fallback', { fallback: { found: [] } }, 'completed', { found: [] }],
    ['a fallback of null', { fallback: null }, 'completed', null],
  ])(
    'FO-16 with %s the run goes on after the last attempt, and the account gives the reason',
    async (name, on_error, outcome, output) => {
      const slug = `on-error-${name.replaceAll(' ', '-')}`
      const worker = await workerOf(
        database,
        slug,
        around({ on_error, max_attempts: 2, backoff: { initial_ms: 0 } }),
      )
      const { run_id } = await startRun(database, slug)
      const first = await untilMiddle(worker)
      expect(await fail(database, worker, [{ task: first }])).toMatchObject([{ kind: 'retry' }])
      expect(await fail(database, worker, [{ task: await claimOne(database, worker) }])).toEqual([])
      expect(await attemptsOf(database, run_id, 'middle')).toMatchObject([
        { attempt: 1, outcome: 'failed' },
        { attempt: 2, outcome: 'failed', retry_at: null },
        { attempt: 3, outcome, output, reason: expect.stringContaining('Error: It went wrong') },
      ])
      expect(await outputsOf(run_id, ['middle'])).toMatchObject([{ outcome, output }])
      const last = await claimOne(database, worker)
      expect(
        await complete(database, worker, [{ task: last, output: 'after' }], { watched: true }),
      ).toMatchObject([{ kind: 'ended', output: 'after' }])
      expect(await runOf(database, run_id)).toMatchObject({ state: 'completed', error: null })
    },
  )

  test('FO-16 a join after an optional service that is away runs once all others are final', async () => {
    const worker = await workerOf(database, 'optional', [
      { name: 'must', after: [] },
      { name: 'optional', after: [], on_error: 'skip' },
      { name: 'join', after: ['must', 'optional'] },
    ])
    const { run_id } = await startRun(database, 'optional')
    const [must, optional] = await claim(database, worker, 2)
    await failFor(worker, [optional!])
    expect(await claim(database, worker, 5)).toEqual([])
    const [join] = await complete(database, worker, [{ task: must!, output: 1 }], { room: 1 })
    expect(join).toMatchObject({ kind: 'next', run_id })
    await complete(database, worker, [{ task: join!, output: 'joined' }])
    expect(await runOf(database, run_id)).toMatchObject({ state: 'completed', output: 'joined' })
  })

  test('a skipped last step ends the run with null, a fallback with its value', async () => {
    const worker = await workerOf(database, 'last', [
      { name: 'a', after: [], on_error: 'skip' },
      { name: 'b', after: [], on_error: { fallback: 7 } },
    ])
    const { run_id } = await startRun(database, 'last')
    await failFor(worker, await claim(database, worker, 2))
    expect(await runOf(database, run_id)).toMatchObject({ state: 'completed', output: { a: null, b: 7 } })
  })

  test('A10 a step whose worker dies each time is passed over as well', async () => {
    const worker = await workerOf(database, 'dies', around({ on_error: 'skip', max_attempts: 1 }), {
      leaseSeconds: 10,
    })
    const { run_id } = await startRun(database, 'dies')
    await untilMiddle(worker)
    await database.clock.advance(11_000)
    expect(await sweep(database)).toBe(1)
    const next = await registerWorker(database, { handlers: worker.handlers, leaseSeconds: 31_536_000 })
    const after = await claimOne(database, next)
    await complete(database, next, [{ task: after, output: 1 }])
    expect(await outcomesOf(database, run_id)).toEqual([
      'after completed',
      'before completed',
      'middle reclaimed',
      'middle skipped',
    ])
    expect((await runOf(database, run_id)).state).toBe('completed')
  })

  test('what follows a skipped step of a paused run is parked', async () => {
    const worker = await workerOf(database, 'paused', around({ on_error: 'skip' }))
    const { run_id } = await startRun(database, 'paused')
    const task = await untilMiddle(worker)
    await pauseRun(database, run_id)
    await failFor(worker, [task])
    expect(await claim(database, worker, 1)).toEqual([])
    await resumeRun(database, run_id)
    await complete(database, worker, [{ task: await claimOne(database, worker) }])
    expect((await runOf(database, run_id)).state).toBe('completed')
  })

  test('one step that fails its run wins over one in the same batch that would be skipped', async () => {
    const worker = await workerOf(database, 'both', [
      { name: 'soft', after: [], on_error: 'skip' },
      { name: 'hard', after: [] },
      { name: 'join', after: ['soft', 'hard'] },
    ])
    const { run_id } = await startRun(database, 'both')
    await failFor(worker, await claim(database, worker, 2))
    expect(await runOf(database, run_id)).toMatchObject({ state: 'failed', error: { step: 'hard' } })
    expect(await database.query('select from millrace.task where run_id = $1', [run_id])).toEqual([])
  })

  test('two parents that fail softly in two transactions at once wake their join exactly once', async () => {
    const worker = await workerOf(database, 'two-soft', [
      { name: 'a', after: [], on_error: 'skip' },
      { name: 'b', after: [], on_error: { fallback: 1 } },
      { name: 'join', after: ['a', 'b'] },
    ])
    const { run_id } = await startRun(database, 'two-soft')
    const [a, b] = await claim(database, worker, 2)
    await one.query('begin')
    await failFor(worker, [a!], one)
    const second = failFor(worker, [b!], other)
    await untilBlocked(database)
    await one.query('commit')
    await second
    const joins = await claim(database, worker, 5)
    expect(joins).toHaveLength(1)
    await complete(database, worker, [{ task: joins[0]! }])
    expect((await runOf(database, run_id)).state).toBe('completed')
  })

  test('a map whose source is no list is skipped where its onError says so', async () => {
    const worker = await workerOf(database, 'soft-map', [
      { name: 'source' },
      { name: 'each', kind: 'map', over: 'source', after: ['source'], on_error: { fallback: [1, 2] } },
      { name: 'again', kind: 'map', over: 'each', after: ['each'] },
    ])
    const { run_id } = await startRun(database, 'soft-map')
    await complete(database, worker, [{ task: await claimOne(database, worker), output: 'no list' }])
    await giveBack(worker)
    await workOff(database, worker, (_, task) => task.item_value)
    expect(await runOf(database, run_id)).toMatchObject({ state: 'completed', output: [1, 2] })
    expect(await attemptsOf(database, run_id, 'each')).toMatchObject([
      { outcome: 'failed', error: { code: 'map_not_a_list' } },
      { outcome: 'completed', output: [1, 2] },
    ])
  })
})

describe('failAfter', () => {
  /** A map over so many items, with its tasks in the order of the items, and a step after it. */
  async function mapOf(slug: string, items: number, map: Partial<StepSpec>) {
    const worker = await workerOf(database, slug, [
      { name: 'source' },
      { name: 'each', kind: 'map', over: 'source', after: ['source'], ...map },
      { name: 'sum', after: ['each'] },
    ])
    const { run_id } = await startRun(database, slug)
    const list = Array.from({ length: items }, (_, n) => n)
    await complete(database, worker, [{ task: await claimOne(database, worker), output: list }])
    await giveBack(worker)
    const tasks = await claim(database, worker, items)
    tasks.sort((left, right) => left.item - right.item)
    return { worker, run_id, tasks }
  }

  test('up to so many items may fail: the list has gaps in their places, and the run goes on', async () => {
    const { worker, run_id, tasks } = await mapOf('tolerant', 5, { fail_after: 2 })
    await failFor(worker, [tasks[1]!, tasks[4]!])
    await complete(
      database,
      worker,
      [0, 2, 3].map((n) => ({ task: tasks[n]!, output: `done ${n}` })),
    )
    expect(await outputsOf(run_id, ['each'])).toEqual([
      {
        step: 'each',
        outcome: 'completed',
        output: ['done 0', null, 'done 2', 'done 3', null],
        gaps: [1, 4],
      },
    ])
    await giveBack(worker)
    await workOff(database, worker)
    expect(await runOf(database, run_id)).toMatchObject({ state: 'completed', output: 'sum' })
  })

  test.each([
    ['a number', 2, 5, 2],
    ['a share', '50%', 5, 2],
    ['a share of less than one item', '5%', 10, 0],
    ['all of them', '100%', 3, 3],
    ['none', 0, 3, 0],
  ])(
    'with %s the item beyond it fails the run, and names itself',
    async (name, fail_after, items, tolerated) => {
      const slug = `beyond-${name.replaceAll(' ', '-')}`
      const { worker, run_id, tasks } = await mapOf(slug, items, { fail_after })
      for (const task of tasks.slice(0, tolerated)) await failFor(worker, [task])
      expect((await runOf(database, run_id)).state).toBe('running')
      if (tolerated === items) {
        await workOff(database, worker)
        expect((await runOf(database, run_id)).state).toBe('completed')
        return
      }
      await failFor(worker, [tasks[tolerated]!])
      expect(await runOf(database, run_id)).toMatchObject({
        state: 'failed',
        error: {
          code: 'map_failed',
          step: 'each',
          item: tolerated,
          message: expect.stringContaining('The service is away'),
        },
      })
      expect(await database.query('select from millrace.join_state where run_id = $1', [run_id])).toEqual([])
    },
  )

  test('a map that fails and may be skipped ends at once: items under way are aborted, and count no more', async () => {
    const { worker, run_id, tasks } = await mapOf('ends-early', 6, { on_error: 'skip', concurrency: 4 })
    expect(tasks).toHaveLength(4)
    await complete(database, worker, [{ task: tasks[0]!, output: 0 }])
    await failFor(worker, [tasks[1]!])
    const late = await complete(database, worker, [{ task: tasks[2]!, output: 2 }])
    expect(late).toEqual([])
    await failFor(worker, [tasks[3]!])
    expect(await outputsOf(run_id, ['each'])).toMatchObject([
      { outcome: 'skipped', output: null, gaps: null },
    ])
    expect(await database.query('select from millrace.map_item where run_id = $1', [run_id])).toEqual([])
    await database.query('delete from millrace.task where run_id = $1 and aborted_at is not null', [run_id])
    await workOff(database, worker)
    expect(await runOf(database, run_id)).toMatchObject({ state: 'completed', output: 'sum' })
  })

  test('two items that are one too many, failed in two transactions at once, fail the run once', async () => {
    const { worker, run_id, tasks } = await mapOf('at-once', 4, { fail_after: 1 })
    await one.query('begin')
    await failFor(worker, [tasks[0]!], one)
    const second = failFor(worker, [tasks[1]!], other)
    await untilBlocked(database)
    expect(await complete(one, worker, [{ task: tasks[2]!, output: 2 }])).toEqual([])
    await one.query('commit')
    await second
    expect(await runOf(database, run_id)).toMatchObject({ state: 'failed', error: { item: 1 } })
  })

  test('nor do they wait in a circle with a third that completes', async () => {
    const { worker, run_id, tasks } = await mapOf('three-items', 4, { fail_after: 1 })
    const third = await connect(database)
    await third.query('begin')
    await third.query('select from millrace.task where id = $1 for update', [tasks[2]!.task_id])
    await one.query('begin')
    await failFor(worker, [tasks[0]!], one)
    const second = failFor(worker, [tasks[1]!], other)
    await untilBlocked(database)
    await one.query('commit')
    // Now the second knows that it is one too many, and waits for the task of the third.
    await until('the second waits for a row', async () => {
      const [row] = await database.query<{ n: number }>(
        "select count(*)::int as n from pg_locks where not granted and locktype = 'transactionid'",
      )
      return row?.n === 1
    })
    await complete(third, worker, [{ task: tasks[2]!, output: 2 }])
    await third.query('commit')
    await second
    await third.end()
    expect(await runOf(database, run_id)).toMatchObject({ state: 'failed', error: { item: 1 } })
  })

  test('a map that fails its run never waits in a circle with an item that completes', async () => {
    const { worker, run_id, tasks } = await mapOf('item-circle', 3, { fail_after: 0 })
    await one.query('begin')
    await one.query('select from millrace.task where id = $1 for update', [tasks[0]!.task_id])
    const failing = failFor(worker, [tasks[1]!], other)
    await untilBlocked(database)
    await complete(one, worker, [{ task: tasks[0]!, output: 0 }])
    await one.query('commit')
    await failing
    expect((await runOf(database, run_id)).state).toBe('failed')
  })
})

describe('the concurrency of a map', () => {
  test('so many items of one run are under way at a time, and each that ends makes room for the next', async () => {
    const worker = await workerOf(database, 'narrow', [
      { name: 'source' },
      { name: 'each', kind: 'map', over: 'source', after: ['source'], concurrency: 2, fail_after: 1 },
    ])
    const { run_id } = await startRun(database, 'narrow')
    await complete(database, worker, [
      { task: await claimOne(database, worker), output: ['a', 'b', 'c', 'd', 'e'] },
    ])
    await giveBack(worker)
    const [first, second, ...none] = await claim(database, worker, 9)
    expect([first?.item, second?.item, none]).toEqual([0, 1, []])
    expect(await complete(database, worker, [{ task: second!, output: 'B' }], { room: 9 })).toMatchObject([
      { kind: 'next', item: 2, item_value: 'c' },
    ])
    // What waits for its next attempt keeps its place; what failed for good gives it up.
    await fail(database, worker, [{ task: first!, delayMs: 1000 }])
    expect(await claim(database, worker, 9)).toEqual([])
    await giveBack(worker)
    await failFor(worker, await claim(database, worker, 1))
    expect(await claim(database, worker, 9)).toMatchObject([{ item: 3 }])
    await giveBack(worker)
    await database.clock.advance(2000)
    await promote(database)
    await workOff(database, worker, (_, { item_value }) => item_value)
    expect(await runOf(database, run_id)).toMatchObject({
      state: 'completed',
      output: ['a', 'B', null, 'd', 'e'],
    })
  })

  test('E11 of 10,000 items, 100 at a time, the last two end at once, and the join wakes exactly once', async () => {
    const worker = await workerOf(database, 'wide', [
      { name: 'source' },
      { name: 'each', kind: 'map', over: 'source', after: ['source'], concurrency: 100 },
      { name: 'sum', after: ['each'] },
    ])
    const { run_id } = await startRun(database, 'wide')
    const list = Array.from({ length: 10_000 }, (_, n) => n)
    let held: ClaimedTask[] = []
    const source = await claimOne(database, worker)
    const next = await complete(database, worker, [{ task: source, output: list }], { room: 100 })
    held = next as never
    let done = 0
    while (done < 9_998) {
      held.push(...(await claim(database, worker, 100)))
      const batch = held.slice(0, Math.min(98, 9_998 - done))
      expect(held.length).toBeLessThanOrEqual(100)
      const answers = await complete(
        database,
        worker,
        batch.map((task) => ({ task, output: task.item })),
        { room: 100 },
      )
      held = [...held.slice(batch.length), ...(answers as never as ClaimedTask[])]
      done += batch.length
    }
    expect(held).toHaveLength(2)
    await one.query('begin')
    await complete(one, worker, [{ task: held[0]!, output: held[0]!.item }])
    const second = complete(other, worker, [{ task: held[1]!, output: held[1]!.item }])
    await untilBlocked(database)
    await one.query('commit')
    await second
    await giveBack(worker)
    const joins = await claim(database, worker, 9)
    expect(joins).toHaveLength(1)
    const [{ output } = {}] = await outputsOf(run_id, ['each'])
    expect(output).toEqual(list)
    await complete(database, worker, [{ task: joins[0]! }])
  }, 60_000)
})

describe('a skipped step', () => {
  const branch: StepSpec[] = [
    { name: 'ask' },
    { name: 'left', after: ['ask'] },
    { name: 'left-more', after: ['left'], if_skipped: 'skip' },
    { name: 'left-most', after: ['left-more'], if_skipped: 'skip' },
    { name: 'right', after: ['ask'] },
    { name: 'join', after: ['left-most', 'right'], if_skipped: 'skip' },
  ]

  test.each([
    ['left', 'completed', ['left skipped', 'left-more skipped', 'left-most skipped']],
    [
      'both',
      'completed',
      ['join skipped', 'left skipped', 'left-more skipped', 'left-most skipped', 'right skipped'],
    ],
  ])('takes along what is to be skipped with all it needs: %s', async (which, state, skipped) => {
    const worker = await workerOf(database, `branch-${which}`, branch)
    const { run_id } = await startRun(database, `branch-${which}`)
    await complete(database, worker, [{ task: await claimOne(database, worker) }])
    await giveBack(worker)
    const [left, right] = await claim(database, worker, 2)
    await complete(database, worker, [
      { task: left!, skipReason: 'no' },
      which === 'both' ? { task: right!, skipReason: 'no' } : { task: right!, output: 1 },
    ])
    await giveBack(worker)
    await workOff(database, worker)
    expect((await runOf(database, run_id)).state).toBe(state)
    const outcomes = await outcomesOf(database, run_id)
    expect(outcomes.filter((outcome) => outcome.endsWith('skipped'))).toEqual(skipped)
    const [{ reason } = { reason: null }] = await attemptsOf(database, run_id, 'left-more')
    expect(reason).toBe("all that it needs was skipped: 'left'")
  })

  test('is followed by what has no such option, and a map whose items were all skipped is skipped too', async () => {
    const worker = await workerOf(database, 'all-items', [
      { name: 'source' },
      { name: 'each', kind: 'map', over: 'source', after: ['source'] },
      { name: 'goes', after: ['each'], if_skipped: 'skip' },
      { name: 'stays', after: ['each'] },
    ])
    const { run_id } = await startRun(database, 'all-items')
    await complete(database, worker, [{ task: await claimOne(database, worker), output: [1, 2] }])
    await giveBack(worker)
    const items = await claim(database, worker, 2)
    await complete(
      database,
      worker,
      items.map((task) => ({ task, skipReason: 'its condition said no' })),
    )
    await giveBack(worker)
    await workOff(database, worker)
    expect(await runOf(database, run_id)).toMatchObject({
      state: 'completed',
      output: { goes: null, stays: 'stays' },
    })
    expect(await outputsOf(run_id, ['each'])).toMatchObject([{ outcome: 'skipped', output: null }])
  })
})

test('two executors outside that fail two steps of a run at once never wait in a circle', async () => {
  await registerPipeline(database, 'outside-circle', [
    { name: 'a', after: [] },
    { name: 'b', after: [] },
  ])
  const { run_id } = await startRun(database, 'outside-circle')
  for (const step of ['a', 'b']) await startStep(database, run_id, step)
  const failStep = (sql: Connection, step: string) =>
    sql.query('select millrace.fail_step($1, $2, 1, $3)', [run_id, step, JSON.stringify(permanent)])
  await one.query('begin')
  await one.query(
    `select from millrace.task t join millrace.step_definition d on d.id = t.step_id
      where t.run_id = $1 and d.step = 'a' for update of t`,
    [run_id],
  )
  const second = failStep(other, 'b')
  await untilBlocked(database)
  await failStep(one, 'a')
  await one.query('commit')
  await second
  expect(await runOf(database, run_id)).toMatchObject({ state: 'failed', error: { step: 'a' } })
})

test('a batch of items updates the row of their map once, also where some of them failed', async () => {
  const worker = await workerOf(database, 'once', [
    { name: 'source' },
    { name: 'each', kind: 'map', over: 'source', after: ['source'], fail_after: 5, concurrency: 8 },
  ])
  const { run_id } = await startRun(database, 'once')
  const list = Array.from({ length: 20 }, (_, n) => n)
  await complete(database, worker, [{ task: await claimOne(database, worker), output: list }])
  await giveBack(worker)
  const tasks = await claim(database, worker, 8)
  const updates = async () => {
    const [row] = await one.query<{ n: string }>(
      "select n_tup_upd as n from pg_stat_xact_user_tables where schemaname = 'millrace' and relname = 'join_state'",
    )
    return Number(row?.n)
  }
  await one.query('begin')
  // What earlier transactions of this connection have not reported yet is counted as well.
  const before = await updates()
  await complete(
    one,
    worker,
    tasks.slice(0, 5).map((task) => ({ task, output: task.item })),
  )
  expect(await updates()).toBe(before + 1)
  await failFor(worker, tasks.slice(5), one)
  expect(await updates()).toBe(before + 2)
  await one.query('commit')
  await giveBack(worker)
  await workOff(database, worker)
  expect((await runOf(database, run_id)).state).toBe('completed')
})
