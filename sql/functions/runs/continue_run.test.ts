// A run that continues itself goes on in the place of the old one: also for who cancelled its caller, and for who paused it.
import { expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import {
  cancelRun,
  chain,
  claim,
  claimOne,
  complete,
  newId,
  pauseRun,
  resumeRun,
  runOf,
  type Sql,
  startRun,
  sweep,
  type Task,
  type Worker,
} from '../../../test/protocol.ts'
import { park } from '../../../test/waiting.ts'

const { database, one } = await openMeeting()

/** Ends the run of a task; answers with the one that goes on. */
async function continueRun(sql: Sql, worker: Worker, task: Task): Promise<string> {
  const next = newId()
  const rows = await sql.query<{ continued: boolean }>(
    "select millrace.continue_run($1, $2, $3, $4, $5, $6, '{}') as continued",
    [worker.id, worker.lockKey, task.task_id, task.step_id, task.attempt, next],
  )
  expect(rows).toEqual([{ continued: true }])
  return next
}

/** A called run that somebody has at hand while its caller is cancelled, so that the next sweep is left to cancel it. */
async function leftToSweep(slug: string): Promise<{ children: Worker; child: Task }> {
  const parents = await workerOf(database, slug, chain('asks'))
  const children = await workerOf(database, `${slug}-called`, chain('works'))
  const { run_id } = await startRun(database, slug)
  const start = { id: newId(), slug: `${slug}-called`, input: 1 }
  await park(database, parents, [
    { task: await claimOne(database, parents), waits: [{ name: 'ask', kind: 'call', start }] },
  ])
  const child = await claimOne(database, children)
  await one.query('begin')
  await one.query('select from millrace.task where id = $1 for share', [child.task_id])
  expect(await cancelRun(database, run_id)).toBe(true)
  await one.query('commit')
  expect((await runOf(database, child.run_id)).state).toBe('running')
  return { children, child }
}

test('a called run that continues itself before the sweep cancels it is cancelled as the one that goes on', async () => {
  const { children, child } = await leftToSweep('escapes')
  const next = await continueRun(database, children, child)
  await sweep(database)
  await sweep(database)
  expect((await runOf(database, child.run_id)).state).toBe('completed')
  expect((await runOf(database, next)).state).toBe('cancelled')
  expect(await database.query('select * from millrace.cancellation')).toEqual([])
})

test('however often it continued itself, the last one is cancelled', async () => {
  const { children, child } = await leftToSweep('escapes-twice')
  await continueRun(database, children, child)
  const last = await continueRun(database, children, await claimOne(database, children))
  for (const _ of ['the first', 'the second', 'the last']) await sweep(database)
  expect((await runOf(database, last)).state).toBe('cancelled')
  expect(await database.query('select * from millrace.cancellation')).toEqual([])
})

test('a run that is paused while its last step continues it goes on paused, until it is resumed', async () => {
  const worker = await workerOf(database, 'paused', chain('only'))
  const { run_id } = await startRun(database, 'paused')
  const task = await claimOne(database, worker)
  expect(await pauseRun(database, run_id)).toBe(true)
  const next = await continueRun(database, worker, task)
  expect((await runOf(database, next)).paused_at).not.toBeNull()
  expect(await claim(database, worker, 9)).toEqual([])
  expect(await resumeRun(database, next)).toBe(true)
  await complete(database, worker, [{ task: await claimOne(database, worker) }])
  expect((await runOf(database, next)).state).toBe('completed')
})
