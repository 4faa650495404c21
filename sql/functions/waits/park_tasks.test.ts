// Parking: what a task leaves behind, when it is ready again, and what meets it half-way.
import { createHash } from 'node:crypto'
import { beforeEach, expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import {
  attemptsOf,
  type ClaimedTask,
  cancelRun,
  chain,
  claim,
  claimOne,
  complete,
  fail,
  giveBack,
  heartbeat,
  outcomesOf,
  pauseRun,
  promote,
  resumeRun,
  runOf,
  type StepSpec,
  startRun,
  startStep,
  sweep,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'
import {
  checkpointsOf,
  openWaits,
  park,
  send,
  stateOf,
  waitsOf,
  writeCheckpoints,
} from '../../../test/waiting.ts'

const { database, one, other } = await openMeeting()
beforeEach(() => database.clock.reset())

interface Begun {
  worker: Worker
  run: string
  task: ClaimedTask
}

/** A run of a pipeline of its own, whose first task a worker of its own holds. */
async function begin(slug: string, steps: StepSpec[] = chain('only')): Promise<Begun> {
  const worker = await workerOf(database, slug, steps)
  const { run_id: run } = await startRun(database, slug)
  return { worker, run, task: await claimOne(database, worker) }
}

const sleep = (name: string, ms: number) => ({ name, kind: 'sleep' as const, ms })
const signal = (name: string) => ({ name, kind: 'signal' as const, signals: [name] })

test('a parked task frees its worker, its run waits, and its time wakes it with a higher token', async () => {
  const { worker, run, task } = await begin('sleeper')
  expect(await park(database, worker, [{ task, waits: [sleep('nap', 60_000)] }])).toEqual([
    { kind: 'parked', task_id: task.task_id },
  ])
  expect(await stateOf(database, run)).toBe('waiting')
  expect(await attemptsOf(database, run)).toMatchObject([
    { outcome: 'parked', reason: expect.stringMatching(/^sleeps until \d{4}-/) },
  ])
  expect(await claim(database, worker, 1)).toEqual([])
  expect(await promote(database)).toBe(0)
  await database.clock.advance(60_001)
  expect(await promote(database)).toBe(1)
  expect(await stateOf(database, run)).toBe('running')
  const again = await claimOne(database, worker)
  expect(again).toMatchObject({ run_id: run, attempt: 2, failures: 0 })
  expect(await checkpointsOf(database, run, 'only')).toEqual({ nap: null })
  await complete(database, worker, [{ task: again, output: 'rested' }])
  expect((await runOf(database, run)).output).toBe('rested')
})

test('what a former attempt parks, stores or opens is lost', async () => {
  const { worker, run, task } = await begin('former')
  const stale = { ...task, attempt: 7 }
  expect(await park(database, worker, [{ task: stale, waits: [sleep('nap', 1)] }])).toMatchObject([
    { kind: 'lost' },
  ])
  expect(await writeCheckpoints(database, worker, [{ task: stale, name: 'a' }])).toMatchObject([
    { kind: 'lost', name: 'a' },
  ])
  expect(await openWaits(database, worker, [{ task: stale, waits: [] }])).toHaveLength(1)
  expect(await waitsOf(database, run)).toEqual([])
  await cancelRun(database, run)
  expect(await park(database, worker, [{ task, waits: [sleep('nap', 1)] }])).toMatchObject([{ kind: 'lost' }])
  expect(await outcomesOf(database, run)).toEqual(['only cancelled'])
})

test('a sleep keeps the time of its first registration through a failed attempt and another parking', async () => {
  const { worker, run, task } = await begin('keeps')
  await park(database, worker, [{ task, waits: [sleep('nap', 60_000), signal('bell')] }])
  await database.clock.advance(30_000)
  await send(database, 'bell', 'ding', { run })
  const second = await claimOne(database, worker)
  await fail(database, worker, [{ task: second, delayMs: 0 }])
  const third = await claimOne(database, worker)
  expect(third).toMatchObject({ attempt: 3, failures: 1 })
  expect(await park(database, worker, [{ task: third, waits: [sleep('nap', 60_000)] }])).toMatchObject([
    { kind: 'parked' },
  ])
  await database.clock.advance(30_001)
  expect(await promote(database)).toBe(1)
  await complete(database, worker, [{ task: await claimOne(database, worker) }])
})

test('a wait whose result is stored, or whose time has passed, makes the task ready at once', async () => {
  const { worker, run, task } = await begin('at-once')
  await writeCheckpoints(database, worker, [{ task, name: 'nap', kind: 'sleep' }])
  expect(await park(database, worker, [{ task, waits: [sleep('nap', 60_000)] }])).toMatchObject([
    { kind: 'ready' },
  ])
  const second = await claimOne(database, worker)
  expect(
    await park(database, worker, [
      { task: second, waits: [{ name: 'past', kind: 'sleep', until: '2020-01-01T00:00:00Z' }] },
    ]),
  ).toMatchObject([{ kind: 'ready' }])
  expect(await stateOf(database, run)).toBe('running')
  expect(await claim(database, worker, 5)).toMatchObject([{ attempt: 3 }])
  expect(await waitsOf(database, run)).toEqual([])
  expect((await attemptsOf(database, run)).map(({ outcome }) => outcome)).toEqual(['parked', 'parked'])
  await cancelRun(database, run)
})

test('a run with a branch at work, ready or waiting for another try is running, and waits when the last one parks', async () => {
  const { worker, run, task } = await begin('branches', [
    { name: 'a', after: [] },
    { name: 'b', after: [] },
    { name: 'c', after: ['a', 'b'] },
  ])
  const b = await claimOne(database, worker)
  await park(database, worker, [{ task, waits: [signal('a')] }])
  expect(await stateOf(database, run)).toBe('running')
  await fail(database, worker, [{ task: b, delayMs: 1_000 }])
  await database.clock.advance(1_001)
  await promote(database)
  await park(database, worker, [{ task: await claimOne(database, worker), waits: [signal('b')] }])
  expect(await stateOf(database, run)).toBe('waiting')
  await send(database, 'b', null, { run })
  expect(await stateOf(database, run)).toBe('running')
  await cancelRun(database, run)
})

test('two branches that park at once leave their run waiting; one that parks while the other wakes leaves it running', async () => {
  const { worker, run, task } = await begin('both-park', [
    { name: 'a', after: [] },
    { name: 'b', after: [] },
  ])
  const b = await claimOne(database, worker)
  await one.query('begin')
  await park(one, worker, [{ task, waits: [signal('go-a')] }])
  const parking = park(other, worker, [{ task: b, waits: [signal('go-b')] }])
  await untilBlocked(database)
  await one.query('commit')
  await parking
  expect(await stateOf(database, run)).toBe('waiting')

  await send(database, 'go-a', null, { run })
  const again = await claimOne(database, worker)
  await one.query('begin')
  await send(one, 'go-b', null, { run })
  const reparking = park(other, worker, [{ task: again, waits: [signal('more')] }])
  await untilBlocked(database)
  await one.query('commit')
  await reparking
  expect(await stateOf(database, run)).toBe('running')
  expect(await claim(database, worker, 5)).toHaveLength(1)
  await cancelRun(database, run)
})

test('E6 a sleeping run is cancelled at once, and nothing of it wakes later', async () => {
  const { worker, run, task } = await begin('cancelled-asleep')
  await park(database, worker, [{ task, waits: [sleep('nap', 60_000), signal('never')] }])
  expect(await cancelRun(database, run)).toBe(true)
  expect(await runOf(database, run)).toMatchObject({ state: 'cancelled' })
  expect(await waitsOf(database, run)).toEqual([])
  await database.clock.advance('1 hour')
  expect(await promote(database)).toBe(0)
  await expect(send(database, 'never', null, { run })).rejects.toMatchObject({ code: 'MR018' })
  expect(await claim(database, worker, 1)).toEqual([])
})

test('E6 a cancel and the time of a sleep that meet: the run ends cancelled, whoever comes first', async () => {
  for (const first of ['cancel', 'wake'] as const) {
    const { worker, run, task } = await begin(`cancel-meets-${first}`)
    await park(database, worker, [{ task, waits: [sleep('nap', 1_000)] }])
    await database.clock.advance(1_001)
    await one.query('begin')
    if (first === 'cancel') {
      await cancelRun(one, run)
      // A sweep waits for nobody: it finds the task with its next turn, or not at all.
      expect(await promote(other)).toBe(0)
      await one.query('commit')
    } else {
      expect(await promote(one)).toBe(1)
      const cancelling = cancelRun(other, run)
      await untilBlocked(database)
      await one.query('commit')
      await cancelling
    }
    expect(await promote(database)).toBe(0)
    expect(await stateOf(database, run)).toBe('cancelled')
    expect(await claim(database, worker, 1)).toEqual([])
  }
})

test('D2 a clock that jumps ahead and back wakes what was due once each, and a former attempt can write nothing', async () => {
  const { worker, run, task } = await begin('jumps')
  await startRun(database, 'jumps')
  const later = await claimOne(database, worker)
  await park(database, worker, [
    { task, waits: [sleep('nap', 300_000)] },
    { task: later, waits: [sleep('nap', 3_600_000)] },
  ])
  await database.clock.advance('10 minutes')
  expect(await promote(database)).toBe(1)
  const woken = await claimOne(database, worker)
  expect(woken).toMatchObject({ run_id: run, attempt: 2 })
  await database.clock.advance('-10 minutes')
  expect(await promote(database)).toBe(0)
  expect(await sweep(database)).toBe(0)
  expect(await writeCheckpoints(database, worker, [{ task, name: 'late' }])).toMatchObject([{ kind: 'lost' }])
  // It sleeps again under its name: that sleep is over, whatever the clock says now.
  expect(await park(database, worker, [{ task: woken, waits: [sleep('nap', 300_000)] }])).toMatchObject([
    { kind: 'ready' },
  ])
  expect(await stateOf(database, later.run_id)).toBe('waiting')
  await cancelRun(database, run)
  await cancelRun(database, later.run_id)
})

test('of a paused run nothing wakes: what came is stored, and is ready when the run is resumed', async () => {
  const { worker, run, task } = await begin('paused-asleep')
  await park(database, worker, [{ task, waits: [signal('bell'), sleep('nap', 60_000)] }])
  await pauseRun(database, run)
  expect(await send(database, 'bell', 1, { run })).toMatchObject({ woke: 1, kept: false })
  await database.clock.advance(60_001)
  expect(await promote(database)).toBe(0)
  expect(await stateOf(database, run)).toBe('waiting')
  expect(await checkpointsOf(database, run, 'only')).toMatchObject({ bell: { payload: 1 } })
  await resumeRun(database, run)
  expect(await stateOf(database, run)).toBe('running')
  expect(await claim(database, worker, 5)).toMatchObject([{ attempt: 2 }])
  await cancelRun(database, run)
})

test('a task that parks in a paused run sleeps through the pause, and its time is kept', async () => {
  const { worker, run, task } = await begin('parks-paused')
  await pauseRun(database, run)
  await park(database, worker, [{ task, waits: [sleep('nap', 1_000)] }])
  await database.clock.advance(1_001)
  expect(await promote(database)).toBe(0)
  await resumeRun(database, run)
  expect(await claim(database, worker, 5)).toHaveLength(1)
  expect(await checkpointsOf(database, run, 'only')).toEqual({ nap: null })
  await cancelRun(database, run)
})

test('an executor outside is told that a parked step waits, and cannot take it before it woke', async () => {
  const { worker, run, task } = await begin('outside-asleep')
  await park(database, worker, [{ task, waits: [sleep('nap', 1_000)] }])
  expect(await startStep(database, run, 'only')).toMatchObject({ started: false, reason: 'waiting' })
  await database.clock.advance(1_001)
  expect(await startStep(database, run, 'only')).toMatchObject({ started: false, reason: 'waiting' })
  await promote(database)
  expect(await startStep(database, run, 'only')).toMatchObject({ started: true, attempt: 2 })
  await cancelRun(database, run)
})

test('the heartbeat says when the next task is due, so that a sleeper wakes on time', async () => {
  const { worker, run, task } = await begin('due')
  await database.clock.freeze()
  await park(database, worker, [{ task, waits: [sleep('nap', 10_300)] }])
  const due = async () => (await heartbeat(database, worker)).filter(({ kind }) => (kind as string) === 'due')
  expect(await due()).toEqual([])
  await database.clock.advance(10_000)
  expect(await due()).toMatchObject([{ detail: '300' }])
  await database.clock.advance(300)
  expect(await due()).toEqual([])
  expect(await claim(database, worker, 1)).toHaveLength(1)
  await cancelRun(database, run)
})

test('a step that ends leaves what it had waited for beside', async () => {
  const { worker, run, task } = await begin('race', chain('first', 'second'))
  await park(database, worker, [
    {
      task,
      waits: [
        signal('stop'),
        sleep('nap', 1_000),
        { name: 'boss', kind: 'approval', approval: { title: 'go?' } },
      ],
    },
  ])
  await database.clock.advance(1_001)
  await promote(database)
  await complete(database, worker, [{ task: await claimOne(database, worker) }])
  expect(await waitsOf(database, run)).toEqual([])
  expect(await database.query('select state from millrace.approval where run_id = $1', [run])).toEqual([
    { state: 'cancelled' },
  ])
  expect(await send(database, 'stop', null, { run })).toMatchObject({ woke: 0, kept: true })
  await cancelRun(database, run)
})

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')
const http = (token: string) => ({ name: 'ask', kind: 'http' as const, token: hashOf(token), ms: 60_000 })
const answer = (token: string, result: unknown) =>
  database.query('select millrace.complete_wait($1, $2)', [token, JSON.stringify(result)])

test('JQ-29 an endpoint that answers before its step parks is heard: the wait was stored before the request', async () => {
  const { worker, run, task } = await begin('quick-endpoint')
  expect(await openWaits(database, worker, [{ task, waits: [http('one')] }])).toEqual([])
  await answer('one', { ok: true })
  expect(await park(database, worker, [{ task, waits: [http('one')] }])).toMatchObject([{ kind: 'ready' }])
  expect(await checkpointsOf(database, run, 'only')).toEqual({ ask: { ok: true } })
  await expect(answer('one', 2)).rejects.toMatchObject({ code: 'MR017' })
  await cancelRun(database, run)
})

test('an endpoint answers a parked step once, and only by its latest token', async () => {
  const { worker, run, task } = await begin('later-endpoint')
  await openWaits(database, worker, [{ task, waits: [http('lost')] }])
  await openWaits(database, worker, [{ task, waits: [http('sent')] }])
  await park(database, worker, [{ task, waits: [http('sent')] }])
  await expect(answer('lost', 1)).rejects.toMatchObject({ code: 'MR017' })
  await expect(answer('none', 1)).rejects.toMatchObject({ code: 'MR017' })
  await answer('sent', 1)
  expect(await claim(database, worker, 1)).toHaveLength(1)
  await expect(answer('sent', 2)).rejects.toMatchObject({ code: 'MR017' })
  expect(await checkpointsOf(database, run, 'only')).toEqual({ ask: 1 })
  await cancelRun(database, run)
})

test('an endpoint that answers at once is waited for no more, and one that answers too late is refused', async () => {
  const { worker, run, task } = await begin('slow-endpoint')
  await openWaits(database, worker, [{ task, waits: [http('now')] }])
  await writeCheckpoints(database, worker, [{ task, name: 'ask', kind: 'http', value: 'here' }])
  expect(await waitsOf(database, run)).toEqual([])
  await park(database, worker, [{ task, waits: [{ ...http('slow'), name: 'other' }] }])
  await database.clock.advance(60_001)
  await promote(database)
  await expect(answer('slow', 1)).rejects.toMatchObject({ code: 'MR017' })
  expect(await checkpointsOf(database, run, 'only')).toEqual({ ask: 'here', other: { timedOut: true } })
  await cancelRun(database, run)
})

test('an endpoint whose step went on without it is refused, and pruning removes the wait', async () => {
  const { worker, run, task } = await begin('went-on')
  await openWaits(database, worker, [{ task, waits: [http('unheard')] }])
  await complete(database, worker, [{ task }])
  await expect(answer('unheard', 1)).rejects.toMatchObject({ code: 'MR017' })
  await database.query('select millrace.prune_history()')
  expect(await waitsOf(database, run)).toEqual([])
})

test('a hundred tasks park in one call, and wake in the order of their times', async () => {
  const { worker, task } = await begin('many')
  await Promise.all(Array.from({ length: 99 }, () => startRun(database, 'many')))
  const tasks = [task, ...(await claim(database, worker, 99))]
  expect(tasks).toHaveLength(100)
  const parked = await park(
    database,
    worker,
    tasks.map((each, index) => ({ task: each, waits: [sleep('nap', 100_000 - index * 1_000)] })),
  )
  expect(parked.map(({ kind }) => kind)).toEqual(tasks.map(() => 'parked'))
  await database.clock.advance(200_000)
  expect(await promote(database)).toBe(100)
  const woken = await claim(database, worker, 100)
  expect(woken.map(({ run_id }) => run_id)).toEqual(tasks.map(({ run_id }) => run_id).toReversed())
  await complete(
    database,
    worker,
    woken.map((each) => ({ task: each })),
  )
})

test('parking for nothing is refused', async () => {
  const { worker, run, task } = await begin('for-nothing')
  await expect(park(database, worker, [{ task, waits: [] }])).rejects.toMatchObject({ code: 'MR014' })
  await cancelRun(database, run)
})

test('a step that is skipped after its last failure leaves what it had waited for', async () => {
  const { worker, run, task } = await begin('given-up', [
    { name: 'a', after: [], on_error: 'skip', max_attempts: 1 },
    { name: 'b', after: ['a'] },
  ])
  await openWaits(database, worker, [{ task, waits: [http('given-up')] }])
  await park(database, worker, [{ task, waits: [signal('stop'), sleep('nap', 1_000)] }])
  await database.clock.advance(1_001)
  await promote(database)
  await fail(database, worker, [{ task: await claimOne(database, worker) }])
  expect(await waitsOf(database, run)).toEqual([])
  await expect(answer('given-up', 1)).rejects.toMatchObject({ code: 'MR017' })
  await complete(database, worker, [{ task: await claimOne(database, worker) }])
  expect(await stateOf(database, run)).toBe('completed')
})

test('a step that parks after its run was cancelled lets what follows begin', async () => {
  const worker = await workerOf(database, 'parks-late', [
    ...chain('a', 'b'),
    { name: 'undo-a', kind: 'undo', undoes: 'a' },
  ])
  const { run_id: run } = await startRun(database, 'parks-late')
  await complete(database, worker, [{ task: await claimOne(database, worker) }])
  await giveBack(database, worker)
  const b = await claimOne(database, worker)
  await cancelRun(database, run, true)
  await park(database, worker, [{ task: b, waits: [sleep('nap', 1_000)] }])
  expect(await claim(database, worker, 5)).toMatchObject([{ run_id: run }])
})
