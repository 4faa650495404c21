// Who is called when slots are free again: as many as there are slots, in their order, and nobody who comes new before them.
import { afterEach, expect, test } from 'vitest'
import { defineLimit, miscounted, sharedKey } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor, workerOf, workerOfAll } from '../../../test/pipeline-worker.ts'
import {
  cancelRun,
  chain,
  claim,
  type ClaimedTask,
  completeAll,
  fullLook,
  promote,
  registerPipeline,
  runOf,
  runsOf,
  startInputs,
  sweep,
  type Worker,
} from '../../../test/protocol.ts'

const { database } = await openMeeting()

afterEach(async () => {
  expect(await miscounted(database)).toEqual([])
})

/** The runs of those who were called and that nobody has claimed, in the order of claims. */
const called = async (slug: string) => {
  const rows = await database.query<{ run_id: string }>(
    `select t.run_id from millrace.task t join millrace.run r on r.id = t.run_id
      where r.slug = $1 and t.worker_id is null and t.holds is not null order by t.id`,
    [slug],
  )
  return rows.map(({ run_id }) => run_id)
}

test('slots that come free one after the other before the next claim call as many as they are, and nobody twice for the same slot', async () => {
  const worker = await workerOf(database, 'counted', chain('only'))
  await defineLimit(database, 'counted', sharedKey(3), 'counted')
  const runs = await startInputs(database, 'counted', [1, 2, 3, 4, 5, 6, 7, 8, 9])
  const first = await claim(database, worker, 10)
  expect(runsOf(first)).toEqual(runs.slice(0, 3))
  for (const task of first) await completeAll(database, worker, [task])
  expect(await called('counted')).toEqual(runs.slice(3, 6))
  const second = await claim(database, worker, 10)
  expect(runsOf(second)).toEqual(runs.slice(3, 6))
  await completeAll(database, worker, second)
  expect(runsOf(await claim(database, worker, 10))).toEqual(runs.slice(6))
})

test('who was called and cancelled leaves its slot to the next one, once the others who were called are claimed', async () => {
  const worker = await workerOf(database, 'left', chain('only'))
  await defineLimit(database, 'left', sharedKey(2), 'left')
  const runs = await startInputs(database, 'left', [1, 2, 3, 4, 5, 6])
  await completeAll(database, worker, await claim(database, worker, 10))
  expect(await called('left')).toEqual(runs.slice(2, 4))
  await cancelRun(database, runs[2]!)
  expect(runsOf(await claim(database, worker, 10))).toEqual([runs[3]])
  expect(runsOf(await claim(database, worker, 10))).toEqual([runs[4]])
  expect(await claim(database, worker, 10)).toEqual([])
})

test('a claim that has room for some of those who were called calls nobody else for the slots of the rest', async () => {
  const worker = await workerOf(database, 'parted', chain('only'))
  const other = await workerFor(database, 'parted')
  await defineLimit(database, 'parted', sharedKey(4), 'parted')
  const runs = await startInputs(database, 'parted', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  await completeAll(database, worker, await claim(database, worker, 10))
  expect(runsOf(await claim(database, worker, 1))).toEqual([runs[4]])
  expect(await called('parted')).toEqual(runs.slice(5, 8))
  expect(runsOf(await claim(database, other, 10))).toEqual(runs.slice(5, 8))
  expect(await claim(database, other, 10)).toEqual([])
})

test('who comes new waits behind those who wait, also where all who were called find room', async () => {
  const worker = await workerOf(database, 'new', chain('only'))
  await defineLimit(database, 'new', sharedKey(2), 'new')
  const runs = await startInputs(database, 'new', [1, 2, 3, 4, 5])
  await completeAll(database, worker, (await claim(database, worker, 10)).slice(0, 1))
  runs.push(...(await startInputs(database, 'new', [6])))
  expect(runsOf(await claim(database, worker, 10))).toEqual([runs[2]])
  for (const next of runs.slice(3)) {
    const [held] = await database.query<ClaimedTask & { task_id: string }>(
      'select t.id as task_id, t.step_id, t.attempt from millrace.task t join millrace.run r on r.id = t.run_id where r.slug = $1 and t.worker_id = $2 order by t.id limit 1',
      ['new', worker.id],
    )
    await completeAll(database, worker, [held!])
    expect(runsOf(await claim(database, worker, 10))).toEqual([next])
  }
})

test('keys of which some had to wait and others did not are claimed together', async () => {
  const worker = await workerOf(database, 'mixed', chain('only'))
  await defineLimit(database, 'mixed', { kind: 'concurrency', capacity: 1, key: [['k']] }, 'mixed')
  const runs = await startInputs(database, 'mixed', [{ k: 'a' }, { k: 'a' }, { k: 'a' }])
  await completeAll(database, worker, await claim(database, worker, 10))
  const [fresh] = await startInputs(database, 'mixed', [{ k: 'b' }])
  expect(new Set(runsOf(await claim(database, worker, 10)))).toEqual(new Set([runs[1], fresh]))
  expect(await claim(database, worker, 10)).toEqual([])
})

test('who was called begins before those who came after it, however many of them are ready', async () => {
  const worker = await workerOf(database, 'before', chain('only'))
  await defineLimit(database, 'before', sharedKey(1), 'before')
  const [holder] = await startInputs(database, 'before', [{}])
  const held = await claim(database, worker, 1)
  expect(runsOf(held)).toEqual([holder])
  const [waiting] = await startInputs(database, 'before', [{}])
  expect(await claim(database, worker, 1)).toEqual([])
  const later = await startInputs(
    database,
    'before',
    Array.from({ length: 20 }, () => ({})),
  )
  await completeAll(database, worker, held)
  const look = fullLook(worker.handlers)
  expect(runsOf(await claim(database, worker, 1, look))).toEqual([waiting])
  await completeAll(database, worker, await heldBy(worker))
  expect(runsOf(await claim(database, worker, 1, look))).toEqual(later.slice(0, 1))
})

test('a rate goes on beside a backlog of other steps, of its own pipeline and of others', async () => {
  const pair = [
    { name: 'mail', after: [] },
    { name: 'locate', after: [] },
  ]
  await registerPipeline(database, 'beside', pair)
  const worker = await workerOfAll(database, ['plain'], chain('only'))
  const both = await workerFor(database, 'beside')
  const all = { ...worker, handlers: [...worker.handlers, ...both.handlers] }
  await database.query('update millrace.worker set handlers = $2 where id = $1', [worker.id, all.handlers])
  await defineLimit(database, 'beside', { kind: 'rate', units: 1, per_ms: 1_000 }, [
    { slug: 'beside', step: 'mail' },
  ])
  await startInputs(database, 'beside', Array.from({ length: 40 }))
  await startInputs(database, 'plain', Array.from({ length: 200 }))
  let mails = 0
  for (let second = 0; second < 30; second++) {
    await promote(database)
    const tasks = await claim(database, all, 6, fullLook(all.handlers))
    mails += await count(tasks, 'mail')
    await completeAll(database, all, tasks)
    await database.clock.advance('1s')
  }
  expect(mails).toBeGreaterThan(15)
})

const count = async (tasks: ClaimedTask[], step: string) => {
  const [row] = await database.query<{ count: number }>(
    'select count(*)::int as count from unnest($1::int[]) t(id) join millrace.step_definition d on d.id = t.id where d.step = $2',
    [tasks.map(({ step_id }) => step_id), step],
  )
  return row!.count
}
const heldBy = (worker: Worker) =>
  database.query<ClaimedTask & Record<string, unknown>>(
    'select t.id as task_id, t.run_id, t.step_id, t.attempt from millrace.task t where t.worker_id = $1',
    [worker.id],
  )

const pausePipeline = (slug: string) => database.query('select millrace.pause_pipeline($1)', [slug])

test('slots that were lost come back beside somebody of a paused pipeline who was called before and stays', async () => {
  const worker = await workerOfAll(database, ['paused-one', 'busy-one'], chain('only'))
  await defineLimit(database, 'paused-one', sharedKey(1), 'paused-one')
  await defineLimit(database, 'busy-one', sharedKey(3), 'busy-one')
  await startInputs(database, 'paused-one', [1, 2])
  await completeAll(database, worker, await claim(database, worker, 10))
  await pausePipeline('paused-one')
  expect(await called('paused-one')).toHaveLength(1)
  const runs = await startInputs(database, 'busy-one', [1, 2, 3, 4, 5, 6, 7, 8, 9])
  await completeAll(database, worker, await claim(database, worker, 10))
  await cancelRun(database, runs[3]!)
  await cancelRun(database, runs[4]!)
  expect(runsOf(await claim(database, worker, 10))).toEqual([runs[5]])
  expect(runsOf(await claim(database, worker, 10))).toEqual(runs.slice(6, 8))
})

test('nobody is called whose pipeline is paused, and all are once it goes on', async () => {
  const worker = await workerOfAll(database, ['halted', 'going'], chain('only'))
  const both = [{ slug: 'halted' }, { slug: 'going' }]
  await defineLimit(database, 'both', sharedKey(2), both)
  const halted = await startInputs(database, 'halted', [1, 2, 3, 4, 5])
  const first = await claim(database, worker, 10)
  const going = await startInputs(database, 'going', [1, 2])
  expect(await claim(database, worker, 10)).toEqual([])
  await pausePipeline('halted')
  await completeAll(database, worker, first)
  expect(await called('halted')).toEqual([])
  const second = await claim(database, worker, 10)
  expect(runsOf(second)).toEqual(going)
  await completeAll(database, worker, second)
  expect(await claim(database, worker, 10)).toEqual([])
  await database.query("select millrace.resume_pipeline('halted')")
  expect(runsOf(await claim(database, worker, 10))).toEqual(halted.slice(2, 4))
})

const rejecting = { ...sharedKey(1), strategy: 'reject_newest' }

test('who is rejected is not called, stands before nobody, and its run is cancelled for the reason', async () => {
  const worker = await workerOf(database, 'rejecting', chain('only'))
  await defineLimit(database, 'rejecting', rejecting, 'rejecting')
  const [first, ...rejected] = await startInputs(database, 'rejecting', [1, 2, 3])
  const held = await claim(database, worker, 10)
  expect(runsOf(held)).toEqual([first])
  await completeAll(database, worker, held)
  expect(await called('rejecting')).toEqual([])
  const [later, tooLate] = await startInputs(database, 'rejecting', [4, 5])
  const next = await claim(database, worker, 10)
  expect(runsOf(next)).toEqual([later])
  await sweep(database)
  const ended = await database.query(
    `select r.id, e.detail ->> 'reason' as reason from millrace.run r join millrace.event e on e.run_id = r.id and e.kind = 'run.cancelled'
      where r.slug = 'rejecting' order by r.id`,
  )
  const reason = "there was no room under limit 'rejecting' for 'null'"
  expect(ended).toEqual([...rejected, tooLate].toSorted().map((id) => ({ id, reason })))
  await completeAll(database, worker, next)
  expect((await runOf(database, later!)).state).toBe('completed')
})

test('who is rejected takes no turn of others', async () => {
  const worker = await workerOf(database, 'rejecting-turns', chain('only'))
  await defineLimit(database, 'turns', { kind: 'fairness', key: [['customer']] }, 'rejecting-turns')
  await defineLimit(database, 'rejecting-turns', rejecting, 'rejecting-turns')
  const [first] = await startInputs(database, 'rejecting-turns', [{ customer: 'a' }])
  const held = await claim(database, worker, 10)
  await startInputs(database, 'rejecting-turns', [{ customer: 'a' }, { customer: 'b' }])
  expect(await claim(database, worker, 10)).toEqual([])
  await completeAll(database, worker, held)
  expect(runsOf(held)).toEqual([first])
  expect(await called('rejecting-turns')).toEqual([])
  const next = await startInputs(database, 'rejecting-turns', [{ customer: 'c' }])
  expect(runsOf(await claim(database, worker, 10))).toEqual(next)
})

test('who waits for a slot and is to make room for a newer one is not called', async () => {
  const worker = await workerOf(database, 'room', chain('only'))
  await defineLimit(database, 'room', { ...sharedKey(1), strategy: 'cancel_oldest' }, 'room')
  const runs = await startInputs(database, 'room', [1, 2, 3])
  const [held] = await claim(database, worker, 1)
  expect(await claim(database, worker, 1)).toEqual([])
  expect(await claim(database, worker, 1)).toEqual([])
  await completeAll(database, worker, [held!])
  expect(await called('room')).toEqual([runs[2]])
  const next = await claim(database, worker, 10)
  expect(runsOf(next)).toEqual([runs[2]])
  await sweep(database)
  expect(await Promise.all(runs.map(async (run) => (await runOf(database, run)).state))).toEqual([
    'completed',
    'cancelled',
    'running',
  ])
})

test('a sweep calls for slots that were lost, also where the limit is touched all the time', async () => {
  const worker = await workerOf(database, 'touched', chain('only'))
  await defineLimit(database, 'touched', sharedKey(3), 'touched')
  const runs = await startInputs(database, 'touched', [1, 2, 3, 4, 5, 6, 7, 8])
  await completeAll(database, worker, await claim(database, worker, 10))
  for (const run of runs.slice(3, 6)) await cancelRun(database, run)
  const touch = () =>
    database.query(
      "update millrace.limit_state s set changed_at = millrace.now() from millrace.limit_rule k where k.id = s.rule_id and k.name = 'touched'",
    )
  await database.clock.advance('5s')
  await touch()
  await sweep(database)
  expect(await claim(database, worker, 10)).toEqual([])
  await database.clock.advance('5s')
  await touch()
  await sweep(database)
  expect(runsOf(await claim(database, worker, 10))).toEqual(runs.slice(6))
})
