// Pausing: what starts in other transactions while a run is being paused stops all the same.
import { expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import {
  chain,
  claim,
  claimOne,
  complete,
  connect,
  fail,
  outcomesOf,
  pauseRun,
  resumeRun,
  startRun,
  untilBlocked,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()

test('a step that a redrive opened, and that is claimed while its run is being paused, is the last before the resume', async () => {
  const worker = await workerOf(database, 'redriven', chain('a', 'b'))
  const { run_id } = await startRun(database, 'redriven')
  await fail(database, worker, [
    { task: await claimOne(database, worker), error: { code: 'E', message: 'no', retryable: false } },
  ])
  // The pause waits for the redrive, and then for the table of what waits: the claim comes between its looks at the tasks.
  const holding = await connect(database)
  await one.query('begin')
  await one.query('select * from millrace.start_redrive($1)', [JSON.stringify({ runs: [run_id] })])
  const pausing = pauseRun(other, run_id)
  await untilBlocked(database)
  await holding.query('begin')
  await holding.query('lock table millrace.waiting_task in share mode')
  await one.query('commit')
  await untilBlocked(database)
  const task = await claimOne(database, worker)
  await holding.query('commit')
  expect(await pausing).toBe(true)
  expect(await complete(database, worker, [{ task }], { room: 1 })).toEqual([])
  expect(await claim(database, worker, 9)).toEqual([])
  expect(await resumeRun(database, run_id)).toBe(true)
  await complete(database, worker, [{ task: await claimOne(database, worker) }])
  expect(await outcomesOf(database, run_id)).toEqual(['a failed', 'a completed', 'b completed'])
  await holding.end()
})
