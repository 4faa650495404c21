// Workers that are stopped, continued, told to end, and told to give up a run: what they may still do, and what they may not.
import { expect, test } from 'vitest'
import { complete, fail, heartbeat, release, type Task, type Worker } from '../protocol.ts'
import { allEnded, expectSound, recordFigure } from './effects.ts'
import { holdPipelines } from './pipelines.ts'
import { until } from '../deadline.ts'
import { programsOnDatabase } from './programs-on.ts'

const { hold, holdTransaction, block } = holdPipelines(() => {})
const leaseSeconds = 3

const { database, client, programs } = await programsOnDatabase()

const options = () => ({ database: database.url, leaseSeconds, heartbeatMs: 500, slots: 4 })

test('A3 a worker that was stopped for three leases finds its task taken, and can neither log, complete, fail nor release it', async () => {
  const zombie = await programs.start(options())
  const run = (await client.start(hold, { ms: 60_000, deaf: true })).run!
  await zombie.said('began', { run: run.id })
  const [held] = await tasksOf(run.id)
  const heir = await programs.start(options())
  zombie.signal('SIGSTOP')
  const stoppedAt = await database.clock.now()
  await heir.said('began', { run: run.id, attempt: 2 })
  await until(
    'three leases',
    async () => (await database.clock.now()).getTime() > stoppedAt.getTime() + 3_000 * leaseSeconds,
  )
  const [taken] = await tasksOf(run.id)
  expect(taken).toMatchObject({ worker_id: heir.worker, attempt: 2, failures: 1 })

  zombie.signal('SIGCONT')
  await zombie.said('aborted', { run: run.id, attempt: 1 })
  const renewed = await until('its new id', async () => {
    const [row] = await database.query<{ id: string; lock_key: number }>(
      "select id, lock_key from millrace.worker where process_id = $1 and state <> 'gone'",
      [zombie.child.pid],
    )
    return row
  })
  await zombie.said('ended', { run: run.id, attempt: 1 })
  const lockKey = await lockKeyOf(zombie.worker)
  await everyVerbIsRefused({ id: zombie.worker, lockKey, handlers: [] }, held!, true)
  await everyVerbIsRefused({ id: renewed.id, lockKey: renewed.lock_key, handlers: [] }, held!, false)

  expect(await tasksOf(run.id)).toEqual([taken])
  expect(zombie.logs.filter(({ message }) => message?.includes('is gone'))).toHaveLength(1)
  const logged = await database.query<{ attempt: number; message: string }>(
    "select attempt, detail ->> 'message' as message from millrace.event where run_id = $1 and kind = 'step.log' order by id",
    [run.id],
  )
  expect(logged).toEqual([1, 2].map((attempt) => ({ attempt, message: 'began' })))
  await client.run(run).cancel()
  await heir.said('ended', { run: run.id, attempt: 2 })
  await until('nothing held', async () => (await tasksOf(run.id)).length === 0)
  await expectSound(database, [run.id])
}, 60_000)

test('A4 a handler that blocks its whole process for two leases is fenced: its effect is not written, that of the next attempt is', async () => {
  const blocked = await programs.start(options())
  const run = (await client.start(block, { ms: 2_000 * leaseSeconds })).run!
  await blocked.said('began', { run: run.id, attempt: 1 })
  const heir = await programs.start(options())
  await heir.said('began', { run: run.id, attempt: 2 })
  await allEnded(database, [run.id])
  await until('the blocked worker under a new id', async () => {
    const rows = await database.query(
      "select id from millrace.worker where process_id = $1 and state <> 'gone'",
      [blocked.child.pid],
    )
    return rows.length > 0 && rows[0]?.['id'] !== blocked.worker
  })
  expect(await outcomesOf(run.id)).toEqual(['reclaimed', 'completed'])
  expect(await database.query('select attempt from public.effect where run_id = $1', [run.id])).toEqual([
    { attempt: 2 },
  ])
  await expectSound(database, [run.id])
}, 40_000)

test('A9 SIGTERM lets a step finish and takes nothing new', async () => {
  const worker = await programs.start(options())
  const run = (await client.start(hold, { ms: 1_500, deaf: false })).run!
  await worker.said('began', { run: run.id })
  worker.signal('SIGTERM')
  await worker.said('stopping')
  await until('draining', async () => (await stateOf(worker.worker)) === 'draining')
  const left = (await client.start(hold, { ms: 1, deaf: false })).run!
  await worker.exited()
  expect(worker.code).toBe(0)
  expect(await outcomesOf(run.id)).toEqual(['completed'])
  expect(await outcomesOf(left.id)).toEqual([])
  expect(await stateOf(worker.worker)).toBe('gone')
  await programs.start(options())
  await allEnded(database, [left.id])
  await expectSound(database, [run.id, left.id])
}, 40_000)

test('A9 a second SIGTERM gives the step back at once, and that uses no attempt', async () => {
  const worker = await programs.start(options())
  const run = (await client.start(hold, { ms: 60_000, deaf: true })).run!
  await worker.said('began', { run: run.id })
  worker.signal('SIGTERM')
  await until('draining', async () => (await stateOf(worker.worker)) === 'draining')
  worker.signal('SIGTERM')
  await worker.exited(5_000)
  expect(await tasksOf(run.id)).toMatchObject([{ worker_id: null, attempt: 1, failures: 0 }])
  expect(await outcomesOf(run.id)).toEqual(['released'])
  await client.run(run).cancel()
  await expectSound(database, [run.id])
}, 40_000)

test('A9 a drain that takes too long gives the step back, and SIGKILL during a drain loses nothing', async () => {
  const hasty = await programs.start({ ...options(), drainMs: 300 })
  const run = (await client.start(hold, { ms: 60_000, deaf: true })).run!
  await hasty.said('began', { run: run.id })
  hasty.signal('SIGTERM')
  await hasty.exited(5_000)
  expect(await tasksOf(run.id)).toMatchObject([{ worker_id: null, attempt: 1, failures: 0 }])

  const slow = await programs.start(options())
  await slow.said('began', { run: run.id, attempt: 2 })
  slow.signal('SIGTERM')
  await until('draining', async () => (await stateOf(slow.worker)) === 'draining')
  await slow.kill()
  const heir = await programs.start(options())
  await heir.said('began', { run: run.id, attempt: 3 })
  expect(await tasksOf(run.id)).toMatchObject([{ attempt: 3, failures: 1 }])
  expect(await outcomesOf(run.id)).toEqual(['released', 'reclaimed'])
  await client.run(run).cancel()
  await heir.said('aborted', { run: run.id })
  await heir.said('ended', { run: run.id })
  await until('nothing held', async () => (await tasksOf(run.id)).length === 0)
  await expectSound(database, [run.id])
}, 60_000)

test('E6 a cancel stops a step in another process within a heartbeat, and no success comes later', async () => {
  const worker = await programs.start(options())
  const heeding = (await client.start(hold, { ms: 60_000, deaf: false })).run!
  const deaf = (await client.start(hold, { ms: 60_000, deaf: true })).run!
  const writing = (await client.start(holdTransaction, { ms: 60_000 })).run!
  const runs = [heeding.id, deaf.id, writing.id]
  for (const run of runs) await worker.said('began', { run })
  const cancelledAt = performance.now()
  for (const run of runs) expect(await client.run(run).cancel('enough')).toBe(true)
  for (const run of runs) await worker.said('aborted', { run }, 5_000)
  const ms = performance.now() - cancelledAt
  recordFigure('E6', `three steps of another process aborted ${ms.toFixed(0)} ms after the cancel`)
  expect(ms).toBeLessThan(2_000)
  await until('nothing held', async () => (await Promise.all(runs.map(tasksOf))).flat().length === 0)
  const states = await database.query('select distinct state, output from millrace.run where id = any ($1)', [
    runs,
  ])
  expect(states).toEqual([{ state: 'cancelled', output: null }])
  expect(await database.query('select from public.effect where run_id = $1', [writing.id])).toEqual([])
  await expectSound(database, runs)
}, 40_000)

/** Whatever the stale attempt says is refused; only a gone worker is told that it is gone. */
async function everyVerbIsRefused(worker: Worker, task: Task, gone: boolean): Promise<void> {
  const answers = await heartbeat(database, worker, [task])
  expect(answers.map(({ kind }) => kind)).toEqual(gone ? ['gone'] : ['order', 'lost'])
  expect(await complete(database, worker, [{ task, output: 'a zombie' }])).toMatchObject([{ kind: 'lost' }])
  expect(
    await complete(database, worker, [{ task, output: 'a zombie' }], { transactional: true }),
  ).toMatchObject([{ kind: 'lost' }])
  expect(await fail(database, worker, [{ task }])).toMatchObject([{ kind: 'lost' }])
  expect(await release(database, worker, [task])).toMatchObject([{ kind: 'lost' }])
  const [row] = await database.query(
    `select millrace.log_tasks($1, $2, array[$3::bigint], array[$4::int], array[$5::int], '{a zombie}', '{"{}"}') as logged,
            millrace.hold_task($1, $2, $3, $4, $5) as held`,
    [worker.id, worker.lockKey, task.task_id, task.step_id, task.attempt],
  )
  expect(row).toEqual({ logged: 0, held: false })
  expect(
    await database.query(
      `select code from millrace.report_tasks($1, $2, array[$3::bigint], array[$4::int], array[$5::int], '{part}', '{1}', '{0}')`,
      [worker.id, worker.lockKey, task.task_id, task.step_id, task.attempt],
    ),
  ).toEqual([{ code: 'attempt_lost' }])
}

const tasksOf = (run: string) =>
  database.query<Task & { worker_id: string | null; failures: number }>(
    'select id as task_id, run_id, step_id, item, item_value, attempt, failures, worker_id, claimed_at from millrace.task where run_id = $1',
    [run],
  )

async function outcomesOf(run: string): Promise<string[]> {
  const rows = await database.query<{ outcome: string }>(
    'select outcome from millrace.attempt where run_id = $1 order by attempt',
    [run],
  )
  return rows.map(({ outcome }) => outcome)
}

async function stateOf(worker: string): Promise<string | undefined> {
  const [row] = await database.query<{ state: string }>('select state from millrace.worker where id = $1', [
    worker,
  ])
  return row?.state
}

async function lockKeyOf(worker: string): Promise<number> {
  const [row] = await database.query<{ lock_key: number }>(
    'select lock_key from millrace.worker where id = $1',
    [worker],
  )
  return row?.lock_key ?? 0
}
