// One attempt, without a database: what is given up before it began.
import { expect, test } from 'vitest'
import { Abort } from './abort.ts'
import { type AttemptRoom, runAttempt } from './attempt.ts'
import { AttemptAborted, type HeldTask } from './held-task.ts'

test('a task that was lost before its handler began, as while its inputs were read, does not begin', async () => {
  let began = 0
  const abort = new Abort()
  abort.abort(new AttemptAborted('the worker stops'))
  const handler = { handler: async () => began++ }
  const task = { step: { name: 'late', handler, timeoutMs: 1_000 }, run: {}, item: -1, lost: true, abort }
  const outcome = await runAttempt(task as unknown as HeldTask, {} as AttemptRoom)
  expect(outcome).toMatchObject({ kind: 'failed', error: { message: 'the worker stops' } })
  expect(began).toBe(0)
})
