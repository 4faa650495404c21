// Signals: who gets one, who finds one that came early, and what happens when sending and parking meet.
import { expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import {
  type ClaimedTask,
  cancelRun,
  chain,
  claim,
  claimOne,
  complete,
  newId,
  promote,
  startRun,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'
import { checkpointsOf, park, send, stateOf, type Wait, waitsOf } from '../../../test/waiting.ts'

const { database, one, other } = await openMeeting()

interface Begun {
  worker: Worker
  tasks: ClaimedTask[]
}

/** Runs of a pipeline of its own, each with its one task held by a worker of its own. */
async function begin(slug: string, runs = 1): Promise<Begun> {
  const worker = await workerOf(database, slug, chain('only'))
  const tasks: ClaimedTask[] = []
  for (let n = 0; n < runs; n++) {
    await startRun(database, slug, n)
    tasks.push(await claimOne(database, worker))
  }
  return { worker, tasks }
}

const wait = (name: string, more: Partial<Wait> = {}): Wait => ({
  name,
  kind: 'signal',
  signals: [name],
  ...more,
})

async function end({ tasks }: Begun): Promise<void> {
  for (const { run_id } of tasks) await cancelRun(database, run_id)
}

test('a signal to a run that waits wakes it with name, payload and time', async () => {
  const begun = await begin('to-run')
  const [task] = begun.tasks as [ClaimedTask]
  await park(database, begun.worker, [{ task, waits: [wait('paid')] }])
  expect(await send(database, 'paid', { cents: 5 }, { run: task.run_id })).toMatchObject({
    woke: 1,
    kept: false,
  })
  expect(await checkpointsOf(database, task.run_id, 'only')).toEqual({
    paid: {
      name: 'paid',
      payload: { cents: 5 },
      sentAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    },
  })
  expect(await claim(database, begun.worker, 1)).toHaveLength(1)
  await end(begun)
})

test.each(['run', 'name'] as const)(
  'a signal to a %s that comes early is kept, and taken by the step that waits for it next',
  async (to) => {
    const begun = await begin(`early-${to}`)
    const [task] = begun.tasks as [ClaimedTask]
    const target = to === 'run' ? { run: task.run_id } : {}
    expect(await send(database, `early-${to}`, 1, target)).toMatchObject({ woke: 0, kept: true })
    expect(await send(database, `early-${to}`, 2, target)).toMatchObject({ woke: 0, kept: true })
    const waits = [wait('first', { signals: [`early-${to}`] }), wait('second', { signals: [`early-${to}`] })]
    expect(await park(database, begun.worker, [{ task, waits }])).toMatchObject([{ kind: 'ready' }])
    expect(await checkpointsOf(database, task.run_id, 'only')).toMatchObject({
      first: { payload: 1 },
      second: { payload: 2 },
    })
    await end(begun)
  },
)

test.each(['run', 'name'] as const)(
  'a signal to a %s that is being sent while its step parks is not missed: the step waits for the sender',
  async (to) => {
    const begun = await begin(`send-first-${to}`)
    const [task] = begun.tasks as [ClaimedTask]
    await one.query('begin')
    expect(await send(one, `send-first-${to}`, 1, to === 'run' ? { run: task.run_id } : {})).toMatchObject({
      kept: true,
    })
    const parking = park(other, begun.worker, [{ task, waits: [wait(`send-first-${to}`)] }])
    await untilBlocked(database)
    await one.query('commit')
    expect(await parking).toMatchObject([{ kind: 'ready' }])
    expect(await claim(database, begun.worker, 1)).toHaveLength(1)
    await end(begun)
  },
)

test.each(['run', 'name'] as const)(
  'a signal to a %s that is sent while its step is parking is not missed: the sender waits for the step',
  async (to) => {
    const begun = await begin(`park-first-${to}`)
    const [task] = begun.tasks as [ClaimedTask]
    await one.query('begin')
    expect(await park(one, begun.worker, [{ task, waits: [wait(`park-first-${to}`)] }])).toMatchObject([
      { kind: 'parked' },
    ])
    const sending = send(other, `park-first-${to}`, 1, to === 'run' ? { run: task.run_id } : {})
    await untilBlocked(database)
    await one.query('commit')
    expect(await sending).toMatchObject({ woke: 1, kept: false })
    expect(await claim(database, begun.worker, 1)).toHaveLength(1)
    await end(begun)
  },
)

test('two signals for one wait that are sent at once: one wakes it, the other is kept', async () => {
  const begun = await begin('twice')
  const [task] = begun.tasks as [ClaimedTask]
  await park(database, begun.worker, [{ task, waits: [wait('any', { signals: ['left', 'right'] })] }])
  await one.query('begin')
  expect(await send(one, 'left', 1, { run: task.run_id })).toMatchObject({ woke: 1 })
  const second = send(other, 'right', 2, { run: task.run_id })
  await untilBlocked(database)
  await one.query('commit')
  expect(await second).toMatchObject({ woke: 0, kept: true })
  expect(await checkpointsOf(database, task.run_id, 'only')).toMatchObject({ any: { name: 'left' } })
  expect(await claim(database, begun.worker, 5)).toHaveLength(1)
  await end(begun)
})

test('a cancel and a signal that meet: the signal finds the run ended, or the run ends after it woke', async () => {
  const ended = await begin('cancel-first')
  const [task] = ended.tasks as [ClaimedTask]
  await park(database, ended.worker, [{ task, waits: [wait('go')] }])
  await one.query('begin')
  await cancelRun(one, task.run_id)
  const sending = send(other, 'go', 1, { run: task.run_id })
  await untilBlocked(database)
  await one.query('commit')
  expect(await sending).toMatchObject({ woke: 0 })
  expect(await stateOf(database, task.run_id)).toBe('cancelled')
  expect(await claim(database, ended.worker, 5)).toEqual([])

  const woken = await begin('signal-first')
  const [second] = woken.tasks as [ClaimedTask]
  await park(database, woken.worker, [{ task: second, waits: [wait('go')] }])
  await one.query('begin')
  expect(await send(one, 'go', 1, { run: second.run_id })).toMatchObject({ woke: 1 })
  const cancelling = cancelRun(other, second.run_id)
  await untilBlocked(database)
  await one.query('commit')
  expect(await cancelling).toBe(true)
  expect(await stateOf(database, second.run_id)).toBe('cancelled')
  expect(await claim(database, woken.worker, 5)).toEqual([])
})

test('of those that wait for a name the oldest gets a signal; sent to all, each gets it', async () => {
  const begun = await begin('queue', 4)
  for (const task of begun.tasks) await park(database, begun.worker, [{ task, waits: [wait('next')] }])
  expect(await send(database, 'next', 1)).toMatchObject({ woke: 1 })
  const [first] = await claim(database, begun.worker, 5)
  expect(first?.run_id).toBe(begun.tasks[0]?.run_id)
  expect(await send(database, 'next', 2, { all: true })).toMatchObject({ woke: 3, kept: false })
  expect(await claim(database, begun.worker, 5)).toHaveLength(3)
  expect(await send(database, 'next', 3, { all: true })).toMatchObject({ woke: 0, kept: true })
  await end(begun)
})

test('who is passed over, since it was cancelled while the signal waited for it, leaves it to the next', async () => {
  const begun = await begin('passed-over', 2)
  const [gone, next] = begun.tasks as [ClaimedTask, ClaimedTask]
  for (const task of begun.tasks) await park(database, begun.worker, [{ task, waits: [wait('pass')] }])
  await one.query('begin')
  await cancelRun(one, gone.run_id)
  const sending = send(other, 'pass', 1)
  await untilBlocked(database)
  await one.query('commit')
  expect(await sending).toMatchObject({ woke: 1, kept: false })
  expect(await claim(database, begun.worker, 5)).toMatchObject([{ run_id: next.run_id }])
  await end(begun)
})

test('a wait with take first reads the first signal ever sent, however often, and takes nothing away', async () => {
  const begun = await begin('first', 3)
  const [a, b, c] = begun.tasks as [ClaimedTask, ClaimedTask, ClaimedTask]
  await park(database, begun.worker, [{ task: a, waits: [wait('open', { take: 'first' })] }])
  expect(await send(database, 'open', 1)).toMatchObject({ woke: 1, kept: true })
  expect(await send(database, 'open', 2)).toMatchObject({ woke: 0, kept: true })
  expect(
    await park(database, begun.worker, [{ task: b, waits: [wait('open', { take: 'first' })] }]),
  ).toMatchObject([{ kind: 'ready' }])
  expect(await park(database, begun.worker, [{ task: c, waits: [wait('open')] }])).toMatchObject([
    { kind: 'ready' },
  ])
  for (const task of [a, b, c])
    expect(await checkpointsOf(database, task.run_id, 'only')).toMatchObject({ open: { payload: 1 } })
  await end(begun)
})

test('a wait with a match takes only a signal that holds it, kept or sent', async () => {
  const begun = await begin('match', 2)
  const [a, b] = begun.tasks as [ClaimedTask, ClaimedTask]
  const order = (id: number) => wait('order', { match: { order: { id } } })
  await park(database, begun.worker, [{ task: a, waits: [order(1)] }])
  expect(await send(database, 'order', { order: { id: 2, cents: 7 } })).toMatchObject({ woke: 0, kept: true })
  expect(await send(database, 'order', { order: { id: 1 }, more: true })).toMatchObject({ woke: 1 })
  expect(await park(database, begun.worker, [{ task: b, waits: [order(2)] }])).toMatchObject([
    { kind: 'ready' },
  ])
  expect(await checkpointsOf(database, b.run_id, 'only')).toMatchObject({
    order: { payload: { order: { cents: 7 } } },
  })
  await end(begun)
})

test('a signal sent again under its idempotency key is the same signal', async () => {
  const begun = await begin('again')
  const [task] = begun.tasks as [ClaimedTask]
  const sent = await send(database, 'pay', 1, { run: task.run_id, key: 'k' })
  expect(await send(database, 'pay', 1, { run: task.run_id, key: 'k' })).toEqual(sent)
  expect(
    await park(database, begun.worker, [
      { task, waits: [wait('pay'), wait('pay-again', { signals: ['pay'], ms: 1_000 })] },
    ]),
  ).toMatchObject([{ kind: 'ready' }])
  expect(await waitsOf(database, task.run_id)).toEqual(['pay-again'])
  expect(await send(database, 'pay', 1, { run: task.run_id, key: 'k' })).toEqual({
    ...sent,
    kept: false,
  })
  await end(begun)
})

test('a signal that comes in time beats the timeout, one that comes later is kept', async () => {
  const begun = await begin('timeout', 1)
  const [task] = begun.tasks as [ClaimedTask]
  await park(database, begun.worker, [{ task, waits: [wait('late', { ms: 1_000 })] }])
  await database.clock.advance(1_001)
  await promote(database)
  expect(await send(database, 'late', 1, { run: task.run_id })).toMatchObject({ woke: 0, kept: true })
  expect(await checkpointsOf(database, task.run_id, 'only')).toEqual({ late: { timedOut: true } })
  await end(begun)
})

test('a signal that comes while its step runs again is stored for it', async () => {
  const begun = await begin('while-running')
  const [task] = begun.tasks as [ClaimedTask]
  await park(database, begun.worker, [{ task, waits: [wait('a'), wait('b')] }])
  await send(database, 'a', 1, { run: task.run_id })
  const again = await claimOne(database, begun.worker)
  expect(await send(database, 'b', 2, { run: task.run_id })).toMatchObject({ woke: 1, kept: false })
  expect(await park(database, begun.worker, [{ task: again, waits: [wait('b')] }])).toMatchObject([
    { kind: 'ready' },
  ])
  await complete(database, begun.worker, [{ task: await claimOne(database, begun.worker) }])
})

test('a signal to a run that is unknown or has ended is refused, and so is one without a name', async () => {
  const begun = await begin('refused')
  const [task] = begun.tasks as [ClaimedTask]
  await complete(database, begun.worker, [{ task }])
  await expect(send(database, 'x', 1, { run: task.run_id })).rejects.toMatchObject({ code: 'MR018' })
  await expect(send(database, 'x', 1, { run: newId() })).rejects.toMatchObject({ code: 'MR006' })
  await expect(send(database, '', 1)).rejects.toMatchObject({ code: 'MR014' })
})
