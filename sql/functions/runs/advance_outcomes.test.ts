// What follows the outcome of a run: undo in reverse order, onFailure, onSuccess; and what they meet in other transactions half-way.
import { beforeAll, describe, expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import { park } from '../../../test/waiting.ts'
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
  newId,
  pauseRun,
  promote,
  registerPipeline,
  registerWorker,
  release,
  resumeRun,
  runOf,
  type StepSpec,
  startRun,
  sweep,
  type Task,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()
beforeAll(async () => {
  await database.clock.freeze()
  await database.clock.advance('1 day')
})

const undo = (step: string): StepSpec => ({ name: `undo-${step}`, kind: 'undo', undoes: step })
const onFailure: StepSpec = { name: 'on-failure', kind: 'finally', follows: 'failed' }
const onSuccess: StepSpec = { name: 'on-success', kind: 'finally', follows: 'completed' }

const permanent = { code: 'Refused', message: 'The card was refused.', retryable: false }

const nameOf = async ({ step_id }: { step_id: number }): Promise<string> => {
  const [row] = await database.query<{ step: string }>(
    'select step from millrace.step_definition where id = $1',
    [step_id],
  )
  return row?.step ?? ''
}

const giveBack = (worker: Worker) =>
  database.query(
    'update millrace.task set worker_id = null, claimed_at = null, attempt = attempt - 1 where worker_id = $1 and aborted_at is null',
    [worker.id],
  )

/** Works one task at a time, each a second after the other, until nothing is left: fails those named, and tells what was worked. */
async function workSlowly(worker: Worker, failing: readonly string[] = []): Promise<string[]> {
  const told: string[] = []
  for (;;) {
    const [task] = await claim(database, worker, 1)
    if (task === undefined) return told
    const name = await nameOf(task)
    const place = task.item < 0 ? name : `${name}[${task.item}]`
    told.push(place)
    await database.clock.advance(1000)
    if (failing.includes(place)) await fail(database, worker, [{ task, error: permanent }])
    else await complete(database, worker, [{ task, output: name === 'list' ? [10, 20, 30] : place }])
    await giveBack(worker)
  }
}

describe('undo', () => {
  test('what was completed is undone in reverse order, then the run is a dead letter with its first error', async () => {
    const worker = await workerOf(database, 'reverse', [
      ...chain('book', 'charge', 'print', 'ship'),
      undo('charge'),
      undo('book'),
    ])
    const { run_id } = await startRun(database, 'reverse')
    const told: string[] = []
    for (const step of ['book', 'charge', 'print', 'ship']) {
      const task = await claimOne(database, worker)
      expect(await nameOf(task)).toBe(step)
      await database.clock.advance(1000)
      if (step === 'ship') await fail(database, worker, [{ task, error: permanent }])
      else await complete(database, worker, [{ task, output: step }])
      await giveBack(worker)
    }
    expect(await runOf(database, run_id)).toMatchObject({
      state: 'running',
      finished_at: null,
      error: null,
      outcome: 'failed',
      outcome_error: { ...permanent, step: 'ship' },
    })
    told.push(...(await workSlowly(worker)))
    expect(told).toEqual(['undo-charge', 'undo-book'])
    expect(await runOf(database, run_id)).toMatchObject({
      state: 'failed',
      error: { ...permanent, step: 'ship' },
    })
    expect(await database.query('select step from millrace.dead_letter where run_id = $1', [run_id])).toEqual(
      [{ step: 'ship' }],
    )
  })

  test('the last one to complete is undone first, whatever its place in the graph', async () => {
    const worker = await workerOf(database, 'late', [
      { name: 'a', after: [] },
      { name: 'b', after: [] },
      { name: 'c', after: ['a', 'b'] },
      undo('a'),
      undo('b'),
      undo('c'),
    ])
    await startRun(database, 'late')
    const [a, b] = await claim(database, worker, 2)
    await complete(database, worker, [{ task: b! }])
    await database.clock.advance(1000)
    await complete(database, worker, [{ task: a! }])
    await giveBack(worker)
    expect(await workSlowly(worker, ['c'])).toEqual(['c', 'undo-a', 'undo-b'])
  })

  test('D2 the clock jumps back between two steps: neither is undone before one that came after it', async () => {
    const steps = [
      { name: 'book' },
      { name: 'charge', after: ['book'] },
      { name: 'print', after: ['charge'] },
      { name: 'ship', after: ['print'] },
    ]
    const worker = await workerOf(database, 'jump', [...steps, undo('book'), undo('charge'), undo('print')])
    await startRun(database, 'jump')
    const told: string[] = []
    for (const name of ['book', 'charge', 'print']) {
      const [task] = await claim(database, worker, 1)
      await complete(database, worker, [{ task: task!, output: name }])
      await giveBack(worker)
      await database.clock.advance(name === 'print' ? '1 hour' : '-10 minutes')
    }
    told.push(...(await workSlowly(worker, ['ship'])))
    expect(told).toEqual(['ship', 'undo-print', 'undo-charge', 'undo-book'])
  })

  test('an undo is tried again by its policy; one that gives up is told, and the others are undone all the same', async () => {
    const worker = await workerOf(database, 'gives-up', [
      ...chain('a', 'b', 'c'),
      { ...undo('a'), max_attempts: 2 },
      { ...undo('b'), max_attempts: 2, backoff: { initial_ms: 60_000, jitter: 'none' } },
    ])
    const { run_id } = await startRun(database, 'gives-up')
    expect(await workSlowly(worker, ['c', 'undo-b'])).toEqual(['a', 'b', 'c', 'undo-b', 'undo-a'])
    expect((await runOf(database, run_id)).state).toBe('failed')
    const again = await startRun(database, 'gives-up')
    for (const step of ['a', 'b', 'c']) {
      const task = await claimOne(database, worker)
      if (step === 'c') await fail(database, worker, [{ task, error: permanent }])
      else await complete(database, worker, [{ task }])
      await giveBack(worker)
    }
    const first = await claimOne(database, worker)
    expect(await fail(database, worker, [{ task: first }])).toMatchObject([{ kind: 'retry' }])
    expect(await claim(database, worker, 1)).toEqual([])
    await database.clock.advance(61_000)
    await promote(database)
    expect(await workSlowly(worker)).toEqual(['undo-b', 'undo-a'])
    expect(await attemptsOf(database, again.run_id, 'undo-b')).toMatchObject([
      { attempt: 1, outcome: 'failed' },
      { attempt: 2, outcome: 'completed' },
    ])
  })

  test('a map is undone item by item, those that completed, with its concurrency', async () => {
    const worker = await workerOf(database, 'map-undo', [
      { name: 'list' },
      { name: 'each', kind: 'map', over: 'list', after: ['list'], fail_after: 1, concurrency: 1 },
      { name: 'last', after: ['each'] },
      undo('each'),
    ])
    const { run_id } = await startRun(database, 'map-undo')
    expect(await workSlowly(worker, ['each[1]', 'last'])).toEqual([
      'list',
      'each[0]',
      'each[1]',
      'each[2]',
      'last',
      'undo-each[0]',
      'undo-each[2]',
    ])
    expect((await runOf(database, run_id)).state).toBe('failed')
  })

  test('nothing is undone of a run that succeeds, and neither a skipped step nor a fallback is undone', async () => {
    const steps = [
      { name: 'soft', after: [], on_error: { fallback: 1 } },
      { name: 'gone', after: ['soft'], on_error: 'skip' as const },
      { name: 'last', after: ['gone'] },
    ]
    const worker = await workerOf(database, 'nothing', [...steps, undo('soft'), undo('gone'), undo('last')])
    const well = await startRun(database, 'nothing')
    expect(await workSlowly(worker)).toEqual(['soft', 'gone', 'last'])
    expect((await runOf(database, well.run_id)).state).toBe('completed')
    const badly = await startRun(database, 'nothing')
    expect(await workSlowly(worker, ['soft', 'gone', 'last'])).toEqual(['soft', 'gone', 'last'])
    expect((await runOf(database, badly.run_id)).state).toBe('failed')
  })

  const branches: StepSpec[] = [
    { name: 'a', after: [] },
    { name: 'b', after: [] },
    { name: 'c', after: [] },
    undo('a'),
    undo('b'),
  ]

  test('undo waits until what was under way has left: a step that completed after the failure is undone as well', async () => {
    const worker = await workerOf(database, 'under-way', branches)
    const { run_id } = await startRun(database, 'under-way')
    const [a, b, c] = await claim(database, worker, 3)
    await fail(database, worker, [{ task: c!, error: permanent }])
    expect(await claim(database, worker, 9)).toEqual([])
    await complete(database, worker, [{ task: a! }])
    expect(await claim(database, worker, 9)).toEqual([])
    await release(database, worker, [b!])
    expect(await workSlowly(worker)).toEqual(['undo-a'])
    expect((await runOf(database, run_id)).state).toBe('failed')
  })

  test.each([
    ['complete', (sql: Connection, worker: Worker, task: Task) => complete(sql, worker, [{ task }])],
    ['fail', (sql: Connection, worker: Worker, task: Task) => fail(sql, worker, [{ task }])],
    ['are given back', (sql: Connection, worker: Worker, task: Task) => release(sql, worker, [task])],
  ])('of two aborted steps that %s in two transactions at once, the second goes on', async (how, leave) => {
    const slug = `two-leave-${how.replaceAll(' ', '-')}`
    const worker = await workerOf(database, slug, [...branches, onFailure])
    const { run_id } = await startRun(database, slug)
    const [a, b, c] = await claim(database, worker, 3)
    await fail(database, worker, [{ task: c!, error: permanent }])
    await one.query('begin')
    await leave(one, worker, a!)
    const second = leave(other, worker, b!)
    await untilBlocked(database)
    await one.query('commit')
    await second
    const undone = await workSlowly(worker)
    expect(undone.toSorted()).toEqual(
      how === 'complete' ? ['on-failure', 'undo-a', 'undo-b'] : ['on-failure'],
    )
    expect((await runOf(database, run_id)).state).toBe('failed')
  })

  test('a worker that dies with an aborted step, or with an undo, holds nothing up', async () => {
    const worker = await workerOf(database, 'dies', branches, { leaseSeconds: 10 })
    const { run_id } = await startRun(database, 'dies')
    const [a, , c] = await claim(database, worker, 3)
    await complete(database, worker, [{ task: a! }])
    await fail(database, worker, [{ task: c!, error: permanent }])
    await database.clock.advance(11_000)
    expect(await sweep(database)).toBe(1)
    const second = await registerWorker(database, { handlers: worker.handlers, leaseSeconds: 10 })
    expect(await nameOf(await claimOne(database, second))).toBe('undo-a')
    await database.clock.advance(11_000)
    expect(await sweep(database)).toBe(1)
    const third = await registerWorker(database, { handlers: worker.handlers, leaseSeconds: 31_536_000 })
    expect(await workSlowly(third)).toEqual(['undo-a'])
    expect((await runOf(database, run_id)).state).toBe('failed')
  })

  test('a run that is cancelled with undo is undone first, and cancelled then; without it, at once', async () => {
    const worker = await workerOf(database, 'cancelled', [...chain('a', 'b'), undo('a'), onFailure])
    const { run_id } = await startRun(database, 'cancelled')
    await complete(database, worker, [{ task: await claimOne(database, worker) }])
    await giveBack(worker)
    expect(await cancelRun(database, run_id, true)).toBe(true)
    expect(await cancelRun(database, run_id, true)).toBe(false)
    expect(await runOf(database, run_id)).toMatchObject({ state: 'running', outcome: 'cancelled' })
    expect(await workSlowly(worker)).toEqual(['undo-a'])
    expect(await runOf(database, run_id)).toMatchObject({ state: 'cancelled', error: null })
    const stopped = await startRun(database, 'cancelled')
    await complete(database, worker, [{ task: await claimOne(database, worker) }])
    await giveBack(worker)
    await cancelRun(database, stopped.run_id, true)
    expect(await cancelRun(database, stopped.run_id)).toBe(true)
    expect((await runOf(database, stopped.run_id)).state).toBe('cancelled')
    expect(await claim(database, worker, 9)).toEqual([])
    const kinds = await database.query('select kind from millrace.event where run_id = $1 order by id', [
      stopped.run_id,
    ])
    expect(kinds).toEqual([{ kind: 'run.cancelled' }, { kind: 'run.undo_stopped' }])
  })

  test('a called run that is being undone ends with its caller, and its account says that this was stopped, and why', async () => {
    const callers = await workerOf(database, 'undone-caller', chain('asks'))
    const worker = await workerOf(database, 'undone-called', [...chain('a', 'b'), undo('a')])
    await startRun(database, 'undone-caller')
    const asking = await claimOne(database, callers)
    const child = newId((await database.clock.now()).getTime())
    const children = [{ id: child, slug: 'undone-called', input: null }]
    await park(database, callers, [{ task: asking, waits: [{ name: 'it', kind: 'call', children }] }])
    await complete(database, worker, [{ task: await claimOne(database, worker) }])
    await giveBack(worker)
    expect(await cancelRun(database, child, true)).toBe(true)
    expect(await cancelRun(database, asking.run_id)).toBe(true)
    await sweep(database)
    expect((await runOf(database, child)).state).toBe('cancelled')
    expect(
      await database.query('select kind, detail from millrace.event where run_id = $1 order by id', [child]),
    ).toEqual([
      { kind: 'run.cancelled', detail: { undo: true } },
      { kind: 'run.undo_stopped', detail: { reason: 'its parent was cancelled' } },
    ])
  })

  test('a run that is cancelled before it began ends at once, and so does one of a pipeline without undo', async () => {
    await workerOf(database, 'untouched', [...chain('a'), undo('a')])
    await workerOf(database, 'no-undo', chain('a'))
    for (const slug of ['untouched', 'no-undo']) {
      const { run_id } = await startRun(database, slug)
      expect(await cancelRun(database, run_id, true)).toBe(true)
      expect((await runOf(database, run_id)).state).toBe('cancelled')
    }
  })

  test('a cancel that meets the last task of a stage half-way waits, and ends what comes after it', async () => {
    const worker = await workerOf(database, 'meets', [...chain('a', 'b', 'c'), undo('a'), undo('b')])
    const { run_id } = await startRun(database, 'meets')
    for (const step of ['a', 'b', 'c']) {
      const task = await claimOne(database, worker)
      if (step === 'c') await fail(database, worker, [{ task, error: permanent }])
      else await complete(database, worker, [{ task }])
      await giveBack(worker)
    }
    const task = await claimOne(database, worker)
    await one.query('begin')
    await complete(one, worker, [{ task }])
    const cancelling = cancelRun(other, run_id)
    await untilBlocked(database)
    await one.query('commit')
    expect(await cancelling).toBe(true)
    expect((await runOf(database, run_id)).state).toBe('cancelled')
    expect(await database.query('select from millrace.task where run_id = $1', [run_id])).toEqual([])
  })

  test('a paused run is not undone before it is resumed', async () => {
    const worker = await workerOf(database, 'paused', [...chain('a', 'b'), undo('a')])
    const { run_id } = await startRun(database, 'paused')
    await complete(database, worker, [{ task: await claimOne(database, worker) }])
    await giveBack(worker)
    const task = await claimOne(database, worker)
    await pauseRun(database, run_id)
    await fail(database, worker, [{ task, error: permanent }])
    expect(await claim(database, worker, 9)).toEqual([])
    await resumeRun(database, run_id)
    expect(await workSlowly(worker)).toEqual(['undo-a'])
    expect((await runOf(database, run_id)).state).toBe('failed')
  })

  test('the run key stays taken until everything is undone', async () => {
    const registered = await registerPipeline(database, 'keyed', [...chain('a', 'b'), undo('a')], [['id']])
    const worker = await registerWorker(database, {
      handlers: registered.steps.map(({ handler }) => handler),
      leaseSeconds: 31_536_000,
    })
    const { run_id } = await startRun(database, 'keyed', { id: 1 })
    await complete(database, worker, [{ task: await claimOne(database, worker) }])
    await giveBack(worker)
    await fail(database, worker, [{ task: await claimOne(database, worker), error: permanent }])
    expect(await startRun(database, 'keyed', { id: 1 })).toMatchObject({ created: false, run_id })
    await workSlowly(worker)
    const next = await startRun(database, 'keyed', { id: 1 })
    expect(next.created).toBe(true)
    await cancelRun(database, next.run_id)
  })
})

describe('what follows an outcome', () => {
  test('onFailure runs once all is undone, and its own failure changes nothing but the account', async () => {
    const worker = await workerOf(database, 'follows-failure', [
      ...chain('a', 'b'),
      undo('a'),
      onFailure,
      onSuccess,
    ])
    const { run_id } = await startRun(database, 'follows-failure')
    expect(await workSlowly(worker, ['b', 'on-failure'])).toEqual(['a', 'b', 'undo-a', 'on-failure'])
    expect(await runOf(database, run_id)).toMatchObject({
      state: 'failed',
      error: { ...permanent, step: 'b' },
    })
    expect(await attemptsOf(database, run_id, 'on-failure')).toMatchObject([
      { outcome: 'failed', retry_at: null },
    ])
  })

  test.each([
    ['succeeds', []],
    ['fails', ['on-success']],
  ])(
    'onSuccess that %s runs before the run is completed, with the output that it had without',
    async (how, failing) => {
      const worker = await workerOf(database, `follows-${how}`, [...chain('a', 'b'), onFailure, onSuccess])
      const { run_id } = await startRun(database, `follows-${how}`)
      for (const _ of ['a', 'b']) {
        await complete(database, worker, [{ task: await claimOne(database, worker), output: 'out' }])
        await giveBack(worker)
      }
      expect(await runOf(database, run_id)).toMatchObject({
        state: 'running',
        outcome: 'completed',
        output: null,
      })
      expect(await workSlowly(worker, failing)).toEqual(['on-success'])
      expect(await runOf(database, run_id)).toMatchObject({ state: 'completed', output: 'out', error: null })
    },
  )

  test('a pipeline with onFailure alone ends its good runs as all others do, and the last step says so', async () => {
    const worker = await workerOf(database, 'ends-well', [...chain('a'), onFailure])
    await startRun(database, 'ends-well')
    const task = await claimOne(database, worker)
    expect(await complete(database, worker, [{ task, output: 1 }], { watched: true })).toMatchObject([
      { kind: 'ended', output: 1 },
    ])
  })

  test('two branches that fail at once bring onFailure once', async () => {
    const worker = await workerOf(database, 'two-fail', [
      { name: 'a', after: [] },
      { name: 'b', after: [] },
      onFailure,
    ])
    const { run_id } = await startRun(database, 'two-fail')
    const [a, b] = await claim(database, worker, 2)
    const failing = (sql: Connection, task: ClaimedTask) => fail(sql, worker, [{ task, error: permanent }])
    await one.query('begin')
    await failing(one, a!)
    const second = failing(other, b!)
    await untilBlocked(database)
    await one.query('commit')
    await second
    expect(await workSlowly(worker)).toEqual(['on-failure'])
    expect(await runOf(database, run_id)).toMatchObject({ state: 'failed', error: { step: 'a' } })
  })

  test('a run reported from outside that fell silent is not failed again while its onFailure runs', async () => {
    const worker = await workerOf(database, 'silent', [...chain('a'), onFailure])
    const [run] = await database.query<{ run_id: string }>(
      "select run_id from millrace.ensure_run('silent', silence_seconds => 10)",
    )
    await database.clock.advance(11_000)
    await sweep(database)
    await database.clock.advance(11_000)
    await sweep(database)
    expect(await workSlowly(worker)).toEqual(['on-failure'])
    expect(await runOf(database, run!.run_id)).toMatchObject({
      state: 'failed',
      error: { code: 'run_silent' },
    })
  })
})

describe('an aborted item of a map that ended early and the last step leave at once', () => {
  /** The held tasks of a run: an item of a map that ended without it, and the step that comes last. */
  async function lastTwo(slug: string) {
    const worker = await workerOf(database, slug, [
      { name: 'list' },
      { name: 'each', kind: 'map', over: 'list', after: ['list'], on_error: 'skip' },
      { name: 'last', after: ['each'] },
      onSuccess,
    ])
    const { run_id } = await startRun(database, slug)
    await complete(database, worker, [{ task: await claimOne(database, worker), output: [10, 20] }])
    await giveBack(worker)
    const [first, second] = await claim(database, worker, 2)
    await fail(database, worker, [{ task: first!, error: permanent }])
    const last = await claimOne(database, worker)
    expect(await nameOf(last)).toBe('last')
    return { worker, run_id, pair: [second!, last] as const }
  }

  test.each([
    ['the item', [0, 1]],
    ['the last step', [1, 0]],
  ] as const)('where %s is first, the other one waits, and onSuccess begins', async (which, [mine, his]) => {
    const slug = `leaves-first-${which.replaceAll(' ', '-')}`
    const { worker, run_id, pair } = await lastTwo(slug)
    await one.query('begin')
    await complete(one, worker, [{ task: pair[mine] }])
    const second = complete(other, worker, [{ task: pair[his] }])
    await Promise.race([untilBlocked(database), second])
    await one.query('commit')
    await second
    expect(await workSlowly(worker)).toEqual(['on-success'])
    expect((await runOf(database, run_id)).state).toBe('completed')
  })
})

test('a run that was redriven and is paused when it fails again numbers the attempts of onFailure on', async () => {
  const worker = await workerOf(database, 'paused-again', [...chain('a'), onFailure])
  const { run_id } = await startRun(database, 'paused-again')
  expect(await workSlowly(worker, ['a'])).toEqual(['a', 'on-failure'])
  await database.clock.advance(1000)
  await database.query('select * from millrace.start_redrive($1)', [JSON.stringify({ runs: [run_id] })])
  const task = await claimOne(database, worker)
  expect(await pauseRun(database, run_id)).toBe(true)
  await fail(database, worker, [{ task, error: permanent }])
  expect(await claim(database, worker, 9)).toEqual([])
  await resumeRun(database, run_id)
  expect(await workSlowly(worker)).toEqual(['on-failure'])
  expect(await attemptsOf(database, run_id, 'on-failure')).toMatchObject([{ attempt: 1 }, { attempt: 2 }])
  expect((await runOf(database, run_id)).state).toBe('failed')
})

test('a step that is given back while its run is cancelled lets what follows begin', async () => {
  const worker = await workerOf(database, 'given-back', [...chain('a', 'b'), undo('a')])
  const { run_id: run } = await startRun(database, 'given-back')
  await complete(database, worker, [{ task: await claimOne(database, worker) }])
  await giveBack(worker)
  const b = await claimOne(database, worker)
  await one.query('begin')
  await cancelRun(one, run, true)
  const released = release(other, worker, [b])
  await untilBlocked(database)
  await one.query('commit')
  await released
  expect(await claim(database, worker, 5)).toMatchObject([{ run_id: run }])
})

test.each([
  ['an undo of nothing', [{ name: 'a' }, { name: 'u', kind: 'undo' }]],
  ['an undo of a step that is not there', [{ name: 'a' }, undo('b')]],
  ['an undo of an undo', [{ name: 'a' }, undo('a'), { name: 'u', kind: 'undo', undoes: 'undo-a' }]],
  ['two undos of one step', [{ name: 'a' }, undo('a'), { ...undo('a'), name: 'again' }]],
  ['a finally after no outcome', [{ name: 'a' }, { name: 'f', kind: 'finally' }]],
  ['a finally after another outcome', [{ name: 'a' }, { name: 'f', kind: 'finally', follows: 'cancelled' }]],
  ['two after one outcome', [{ name: 'a' }, onFailure, { ...onFailure, name: 'again' }]],
  ['an undo that waits', [{ name: 'a' }, { ...undo('a'), after: ['a'] }]],
  ['a step that waits for an undo', [{ name: 'a' }, undo('a'), { name: 'b', after: ['undo-a'] }]],
  ['nothing but what follows', [onFailure]],
  ['a plain step that undoes', [{ name: 'a' }, { name: 'b', undoes: 'a' }]],
])('%s is refused', async (_, steps) => {
  await expect(registerPipeline(database, 'refused', steps as StepSpec[])).rejects.toMatchObject({
    code: 'MR001',
  })
})
