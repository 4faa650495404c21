// Maps: what they go over, and what becomes of the run where that is no list.
import { expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import {
  type ClaimedTask,
  cancelRun,
  claim,
  complete,
  outcomesOf,
  runOf,
  startRun,
  untilBlocked,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()

/** The claimed task of a step. */
async function taskOfStep(tasks: ClaimedTask[], step: string): Promise<ClaimedTask> {
  const rows = await database.query<{ id: number }>(
    'select id from millrace.step_definition where step = $1',
    [step],
  )
  const found = tasks.find((task) => rows.some(({ id }) => id === task.step_id))
  if (found === undefined) throw new Error(`${step} was not claimed`)
  return found
}

test.each([
  ['is ready at once', []],
  ['waits for another step too', ['sibling']],
])(
  'a map that %s and fails its run never waits in a circle with a sibling that completes',
  async (_, also) => {
    const slug = `circle-${also.length}`
    const worker = await workerOf(database, slug, [
      { name: 'source', after: [] },
      { name: 'sibling', after: [] },
      { name: 'each', kind: 'map', over: 'source', after: ['source', ...also] },
      { name: 'join', after: ['each', 'sibling'] },
    ])
    const { run_id } = await startRun(database, slug)
    const tasks = await claim(database, worker, 2)
    const source = await taskOfStep(tasks, 'source')
    const sibling = await taskOfStep(tasks, 'sibling')
    // The sibling's own transaction has its task, and comes to the join while the other fails the run.
    await one.query('begin')
    await one.query('select from millrace.task where id = $1 for update', [sibling.task_id])
    const failing = complete(other, worker, [{ task: source, output: 'no list' }])
    await untilBlocked(database)
    expect(await complete(one, worker, [{ task: sibling, output: 1 }])).toEqual([])
    await one.query('commit')
    await failing
    expect(await runOf(database, run_id)).toMatchObject({
      state: 'failed',
      error: { code: 'map_not_a_list', step: 'each' },
    })
    expect(await outcomesOf(database, run_id)).toEqual([
      'each failed',
      'sibling completed',
      'source completed',
    ])
  },
)

test('a map that fails its run never waits in a circle with a cancel of the same run', async () => {
  const worker = await workerOf(database, 'cancel-circle', [
    { name: 'sibling', after: [] },
    { name: 'source', after: [] },
    { name: 'each', kind: 'map', over: 'source', after: ['source'] },
  ])
  const { run_id } = await startRun(database, 'cancel-circle')
  const tasks = await claim(database, worker, 2)
  const sibling = await taskOfStep(tasks, 'sibling')
  // Whoever cancels has come as far as the first task, in the order of their ids.
  await one.query('begin')
  await one.query('select from millrace.task where id = $1 for update', [sibling.task_id])
  const failing = complete(other, worker, [{ task: await taskOfStep(tasks, 'source'), output: 'no list' }])
  await untilBlocked(database)
  expect(await cancelRun(one, run_id)).toBe(true)
  await one.query('commit')
  await failing
  expect((await runOf(database, run_id)).state).toBe('cancelled')
})
