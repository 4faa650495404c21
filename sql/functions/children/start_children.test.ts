// Called runs that come along with the parking of their caller, and callers that come along with the end of the run: who has them then.
import { expect, test } from 'vitest'
import { defineLimit } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerFor } from '../../../test/pipeline-worker.ts'
import {
  type ClaimedTask,
  cancelRun,
  chain,
  claim,
  claimOne,
  complete,
  newId,
  pauseRun,
  registerPipeline,
  registerWorker,
  resumeRun,
  runOf,
  type Sql,
  startRun,
  type Task,
  untilBlocked,
  type Worker,
} from '../../../test/protocol.ts'
import { park, send, stateOf, type Wait } from '../../../test/waiting.ts'

const { database, one, other } = await openMeeting()

interface Caller {
  worker: Worker
  parent: ClaimedTask
  slug: string
}

/** A worker of a pipeline and of the one that it calls, which holds a task of the first. */
async function begin(slug: string): Promise<Caller> {
  await registerPipeline(database, slug, chain('only'))
  await registerPipeline(database, `${slug}-child`, chain('work'))
  const rows = await database.query<{ id: number }>('select id from millrace.handler where slug = any ($1)', [
    [slug, `${slug}-child`],
  ])
  const worker = await registerWorker(database, {
    leaseSeconds: 31_536_000,
    handlers: rows.map(({ id }) => id),
  })
  // Who has just registered has not said yet that it takes work.
  await database.query(`update millrace.worker set state = 'idle' where id = $1`, [worker.id])
  await startRun(database, slug)
  return { worker, parent: await claimOne(database, worker), slug }
}

const call = ({ slug }: Caller, name = 'ask'): Wait => ({
  name,
  kind: 'call',
  start: { id: newId(), slug: `${slug}-child`, input: name },
})

const callMany = ({ slug }: Caller, count: number): Wait => ({
  name: 'all',
  kind: 'call',
  children: Array.from({ length: count }, (_, n) => ({ id: newId(), slug: `${slug}-child`, input: n })),
})

/** Parks with room, and answers with what came along. */
async function parkFor(sql: Sql, caller: Caller, waits: Wait[], room: number | null = 0): Promise<string[]> {
  const answers = await park(sql, caller.worker, [{ task: caller.parent, waits }], room)
  return answers.filter(({ kind }) => kind === 'leased').map(({ task_id }) => task_id)
}

async function heldTask(taskId: string | undefined): Promise<Task & { run_id: string }> {
  const [task] = await database.query<Task & { run_id: string }>(
    'select id as task_id, step_id, attempt, run_id from millrace.task where id = $1',
    [taskId],
  )
  return task!
}

async function holderOf(runId: string): Promise<{ worker_id: string | null; attempt: number } | undefined> {
  const [row] = await database.query<{ worker_id: string | null; attempt: number }>(
    'select worker_id, attempt from millrace.task where run_id = $1',
    [runId],
  )
  return row
}

async function clear({ worker }: Caller): Promise<void> {
  for (const task of await claim(database, worker, 100)) await complete(database, worker, [{ task }])
}

test('a called run comes along with the parking, begun and leased, and its end brings back who called it, with what is stored', async () => {
  const caller = await begin('along')
  const { worker, parent } = caller
  const [leased] = await parkFor(database, caller, [call(caller)])
  const child = await heldTask(leased)
  expect(await holderOf(child.run_id)).toEqual({ worker_id: worker.id, attempt: 1 })
  expect(await stateOf(database, child.run_id)).toBe('running')
  expect(await stateOf(database, parent.run_id)).toBe('waiting')

  const answers = await complete(database, worker, [{ task: child, output: 42 }], { wakes: true })
  expect(answers).toMatchObject([{ kind: 'woken', run_id: parent.run_id, attempt: 2 }])
  expect(answers[0]!.output).toMatchObject({
    task_id: Number(answers[0]!.task_id),
    input: parent.input,
    checkpoints: [{ name: 'ask', kind: 'call', value: { state: 'completed', output: 42 }, error: null }],
  })
  expect(await holderOf(parent.run_id)).toEqual({ worker_id: worker.id, attempt: 2 })
  expect(await stateOf(database, parent.run_id)).toBe('running')
  await complete(database, worker, [{ task: answers[0] as Task, output: 'done' }])
  expect((await runOf(database, parent.run_id)).output).toBe('done')
})

test('all that is called comes along or none: not beyond the room, and nothing where the worker gives none', async () => {
  const caller = await begin('room')
  expect(await parkFor(database, caller, [callMany(caller, 3)], 1)).toEqual([])
  await clear(caller)
  const wide = await begin('wide')
  expect(await parkFor(database, wide, [callMany(wide, 3)], 2)).toHaveLength(3)
  const closed = await begin('closed')
  expect(await parkFor(database, closed, [call(closed)], null)).toEqual([])
  await clear(closed)
})

test('nothing comes along past what stands ahead, nor to a worker that does not serve it or was told to stop', async () => {
  const behind = await begin('behind')
  await startRun(database, 'behind-child')
  expect(await parkFor(database, behind, [call(behind)])).toEqual([])
  await clear(behind)

  const stranger = await begin('stranger')
  const only = await workerFor(database, 'stranger')
  await database.query(`update millrace.worker set state = 'idle' where id = $1`, [only.id])
  await startRun(database, 'stranger')
  const parent = await claimOne(database, only)
  expect(await parkFor(database, { ...stranger, worker: only, parent }, [call(stranger)])).toEqual([])
  await clear(stranger)

  const stopped = await begin('stopped')
  await database.query(`update millrace.worker set ordered_state = 'draining' where id = $1`, [
    stopped.worker.id,
  ])
  expect(await parkFor(database, stopped, [call(stopped)])).toEqual([])
})

test('who called is left to a claim where something stands ahead of it, and is held back where its run was paused', async () => {
  const passed = await begin('passed')
  const [first] = await parkFor(database, passed, [call(passed)])
  await startRun(database, 'passed')
  const answers = await complete(database, passed.worker, [{ task: await heldTask(first) }], { wakes: true })
  expect(answers).toEqual([])
  expect(await holderOf(passed.parent.run_id)).toEqual({ worker_id: null, attempt: 1 })
  await clear(passed)

  const paused = await begin('paused')
  const [second] = await parkFor(database, paused, [call(paused)])
  await pauseRun(database, paused.parent.run_id)
  expect(
    await complete(database, paused.worker, [{ task: await heldTask(second) }], { wakes: true }),
  ).toEqual([])
  expect(await holderOf(paused.parent.run_id)).toBeUndefined()
  await resumeRun(database, paused.parent.run_id)
  await clear(paused)
})

test('a step that was woken by something else meanwhile is not given a second time', async () => {
  const caller = await begin('either')
  const signal = { name: 'word', kind: 'signal' as const, signals: ['word'] }
  const [leased] = await parkFor(database, caller, [call(caller), signal])
  await send(database, 'word', null, { run: caller.parent.run_id })
  const again = await claimOne(database, caller.worker)
  const answers = await complete(database, caller.worker, [{ task: await heldTask(leased) }], { wakes: true })
  expect(answers).toEqual([])
  expect(await holderOf(caller.parent.run_id)).toEqual({
    worker_id: caller.worker.id,
    attempt: again.attempt,
  })
  await complete(database, caller.worker, [{ task: again }])
})

test('a run that ends while its caller is cancelled brings nobody back, whoever commits first', async () => {
  const late = await begin('late')
  const [first] = await parkFor(database, late, [call(late)])
  const child = await heldTask(first)
  await one.query('begin')
  await cancelRun(one, late.parent.run_id)
  const ending = complete(other, late.worker, [{ task: child }], { wakes: true })
  await untilBlocked(database)
  await one.query('commit')
  expect((await ending).filter(({ kind }) => kind === 'woken')).toEqual([])
  expect(await holderOf(late.parent.run_id)).toBeUndefined()

  const early = await begin('early')
  const [second] = await parkFor(database, early, [call(early)])
  const task = await heldTask(second)
  await one.query('begin')
  const answers = await complete(one, early.worker, [{ task }], { wakes: true })
  const cancelling = cancelRun(other, early.parent.run_id)
  await untilBlocked(database)
  await one.query('commit')
  await cancelling
  expect(answers).toMatchObject([{ kind: 'woken' }])
  expect(
    await complete(database, early.worker, [{ task: answers[0] as Task }], { transactional: true }),
  ).toMatchObject([{ kind: 'lost' }])
  await complete(database, early.worker, [{ task: answers[0] as Task }])
})

test('a rule that is defined meanwhile is kept: what it limits comes along neither there nor back', async () => {
  const caller = await begin('ruled')
  await one.query('begin')
  await defineLimit(one, 'ruled-child', { kind: 'concurrency', capacity: 1 }, 'ruled-child')
  const parking = parkFor(other, caller, [call(caller)])
  await untilBlocked(database)
  await one.query('commit')
  expect(await parking).toEqual([])
  const child = await claimOne(database, caller.worker)
  await one.query('begin')
  await defineLimit(one, 'ruled', { kind: 'concurrency', capacity: 1 }, 'ruled')
  const ending = complete(other, caller.worker, [{ task: child }], { wakes: true })
  await untilBlocked(database)
  await one.query('commit')
  expect(await ending).toEqual([])
  await clear(caller)
})
