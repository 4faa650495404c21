// Deadlines of runs, and the one order of locks that all keep who touch them: tasks, then the run, then its deadline.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import {
  type Connection,
  cancelRun,
  connect,
  newId,
  registerPipeline,
  runOf,
  startStep,
  sweep,
  untilBlocked,
} from '../../../test/protocol.ts'

let gate: Connection
const { database, one, other } = await openMeeting()
beforeAll(async () => {
  gate = await connect(database)
  await registerPipeline(database, 'reported', [
    { name: 'held', after: [] },
    { name: 'also-held', after: [] },
    { name: 'free', after: [] },
  ])
})
beforeEach(async () => {
  await database.clock.reset()
  await database.clock.advance('1 hour')
})
afterAll(async () => {
  await Promise.all([gate, one, other].map((connection) => connection.end()))
})

/** A run with a deadline, two steps of which are held for long. */
async function reportedRun(): Promise<string> {
  const [run] = await database.query<{ run_id: string }>(
    "select run_id from millrace.ensure_run('reported', silence_seconds => 60)",
  )
  const id = run?.run_id ?? ''
  await startStep(database, id, 'held', { leaseSeconds: 100_000 })
  await startStep(database, id, 'also-held', { leaseSeconds: 100_000 })
  return id
}

const deadlines = (id: string) =>
  database.query<{ deadline_at: Date }>('select deadline_at from millrace.run_deadline where run_id = $1', [
    id,
  ])

const answerOf = (call: Promise<{ answer: unknown }[]>): Promise<unknown> =>
  call.then(
    ([row]) => row?.answer,
    (error: { code: string }) => error.code,
  )

const verbs: [string, string, unknown][] = [
  ['start_step', "select reason as answer from millrace.start_step($1, 'free')", 'run ended'],
  ['heartbeat_step', "select millrace.heartbeat_step($1, 'held', 1) as answer", false],
  ['log_step', "select millrace.log_step($1, 'held', 1, 'a line') as answer", ''],
  ['complete_step', "select millrace.complete_step($1, 'held', 1) as answer", true],
  ['fail_step', "select millrace.fail_step($1, 'held', 1, '{}') as answer", null],
  ['release_step', "select millrace.release_step($1, 'held', 1) as answer", ''],
]
const ends: [string, string, unknown][] = [
  ['cancel_run', 'select millrace.cancel_run($1) as answer', true],
  ['complete_run', `select millrace.complete_run($1, '"given up"') as answer`, 'failed'],
]

test.each(verbs.flatMap((verb) => ends.map((end) => [verb[0], end[0], verb, end] as const)))(
  'PP-C17 %s and %s that meet half-way never wait for each other in a circle',
  async (_, __, [, report, reported], [, end, ended]) => {
    const id = await reportedRun()
    // The end has the tasks and waits for the run; the report comes in between.
    await gate.query('begin')
    await gate.query('select from millrace.run where id = $1 for update', [id])
    const ending = answerOf(one.query(end, [id]))
    await untilBlocked(database, 1)
    const reporting = answerOf(other.query(report, [id]))
    await untilBlocked(database, 2)
    await gate.query('commit')
    expect(await ending).toBe(ended)
    expect(await reporting).toBe(reported)
    expect(await deadlines(id)).toEqual([])
  },
)

test('PP-C17 a step that fails its run and a report on another one of its steps never wait in a circle', async () => {
  const id = await reportedRun()
  await gate.query('begin')
  await gate.query('select from millrace.run_deadline where run_id = $1 for update', [id])
  const failing = answerOf(
    one.query(`select millrace.fail_step($1, 'held', 1, '{"retryable": false}') as answer`, [id]),
  )
  await untilBlocked(database, 1)
  const reporting = answerOf(
    other.query("select millrace.heartbeat_step($1, 'also-held', 1) as answer", [id]),
  )
  await untilBlocked(database, 2)
  await gate.query('commit')
  expect(await failing).toBe(null)
  expect(await reporting).toBe(false)
  expect((await runOf(database, id)).state).toBe('failed')
})

test('PP-C17 a sweep waits for nobody: a silent run that is being ended is left alone, and the next one fails', async () => {
  const cancelled = await reportedRun()
  const silent = await reportedRun()
  await database.clock.advance('61 seconds')
  await gate.query('begin')
  await gate.query('select from millrace.run where id = $1 for update', [cancelled])
  const cancelling = cancelRun(one, cancelled)
  await untilBlocked(database)
  await other.query("set lock_timeout = '1ms'")
  await sweep(other)
  await other.query('reset lock_timeout')
  expect((await runOf(database, silent)).state).toBe('failed')
  await gate.query('commit')
  expect(await cancelling).toBe(true)
  await sweep(other)
  expect((await runOf(database, cancelled)).state).toBe('cancelled')
})

test('PP-C17 a run is not silent while a report of it is under way, nor after', async () => {
  const id = await reportedRun()
  await database.clock.advance('61 seconds')
  await one.query('begin')
  await one.query("select millrace.heartbeat_step($1, 'held', 1)", [id])
  await sweep(other)
  await one.query('commit')
  await sweep(other)
  expect((await runOf(database, id)).state).toBe('running')
  await cancelRun(database, id)
})

test('PP-C17 a report that comes while its run fails of silence waits for it, and is told to stop', async () => {
  const id = await reportedRun()
  await database.clock.advance('61 seconds')
  await one.query('begin')
  await sweep(one)
  const reporting = answerOf(other.query("select millrace.heartbeat_step($1, 'held', 1) as answer", [id]))
  await untilBlocked(database)
  await one.query('commit')
  expect(await reporting).toBe(false)
  expect(await runOf(database, id)).toMatchObject({ state: 'failed', error: { code: 'run_silent' } })
})

test('every report moves the deadline, also one that was recorded before', async () => {
  const id = await reportedRun()
  await database.clock.freeze()
  const now = async () => (await database.clock.now()).getTime()
  const reports = [
    ["select millrace.start_step($1, 'held')"],
    ["select millrace.heartbeat_step($1, 'held', 1)"],
    ["select millrace.log_step($1, 'held', 1, 'a line')"],
    ["select millrace.complete_step($1, 'held', 1)"],
    ["select millrace.complete_step($1, 'held', 1)"],
    ["select millrace.fail_step($1, 'also-held', 1, '{}')"],
    ["select millrace.fail_step($1, 'also-held', 1, '{}')"],
    ["select millrace.start_step($1, 'free')"],
    ["select millrace.release_step($1, 'free', 1)"],
  ] as const
  for (const [report] of reports) {
    await database.clock.advance('10 seconds')
    await database.query(report, [id])
    const [deadline] = await deadlines(id)
    expect(deadline?.deadline_at.getTime()).toBe((await now()) + 60_000)
  }
  await cancelRun(database, id)
})

test('a run that ended leaves no deadline behind, not even one that is ensured again under its own id', async () => {
  const id = newId(Date.now() + 3_600_000)
  const ensure = () =>
    database.query("select * from millrace.ensure_run('reported', id => $1, silence_seconds => 60)", [id])
  await ensure()
  await cancelRun(database, id)
  expect(await ensure()).toEqual([{ created: true, reason: null, run_id: id }])
  expect(await deadlines(id)).toEqual([])
})
