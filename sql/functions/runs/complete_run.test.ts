// The end of a run as an executor outside says it: the answer is how the run really ended, whoever was faster.
import { beforeAll, expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import {
  type Connection,
  cancelRun,
  chain,
  registerPipeline,
  runOf,
  startRun,
  startStep,
  untilBlocked,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()
beforeAll(async () => {
  await registerPipeline(database, 'reported', chain('only'))
})

const completeRun = (connection: Connection, run: string, error: unknown) =>
  connection
    .query<{ state: string }>('select millrace.complete_run($1, $2) as state', [
      run,
      error === undefined ? null : JSON.stringify(error),
    ])
    .then(([row]) => row?.state)

const completeStep = (connection: Connection, run: string) =>
  connection.query("select millrace.complete_step($1, 'only', 1)", [run])

test.each([
  ['cancelled', 'failed', 'a reason', (run: string) => cancelRun(one, run)],
  ['completed', 'failed', 'a reason', (run: string) => completeStep(one, run)],
  ['completed', 'completed', undefined, (run: string) => completeStep(one, run)],
  ['failed', 'failed', 'a reason', (run: string) => completeRun(one, run, 'another reason')],
])('PP-C8 a run that is %s while it is called %s is answered as what it is', async (state, _, error, end) => {
  const { run_id } = await startRun(database, 'reported')
  await startStep(database, run_id, 'only')
  await one.query('begin')
  await end(run_id)
  const answer = completeRun(other, run_id, error)
  await untilBlocked(database)
  await one.query('commit')
  expect(await answer).toBe(state)
  expect((await runOf(database, run_id)).state).toBe(state)
  expect(await completeRun(other, run_id, error)).toBe(state)
})
