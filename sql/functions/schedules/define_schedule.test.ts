// Schedules that several define at once: who comes second changes what is there, or is asked to try again. And what is left of the times and the failures of before.
import { expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { chain, claim, fail, registerPipeline, registerWorker, untilBlocked } from '../../../test/protocol.ts'
import { defineSchedule, firingsOf, schedulerOn } from '../../../test/schedules.ts'

const { database, one, other } = await openMeeting()

test('of two who define a new schedule at once the second changes it', async () => {
  await registerPipeline(database, 'met', chain('only'))
  await one.query('begin')
  expect(await defineSchedule(one, 'met', 'met', { every_ms: 60_000 })).toBe(1)
  const second = defineSchedule(other, 'met', 'met', { every_ms: 120_000 })
  await untilBlocked(database)
  await one.query('commit')
  expect(await second).toBe(2)
})

test('whose snapshot is from before somebody else defined the schedule is asked to try again', async () => {
  await registerPipeline(database, 'unseen', chain('only'))
  await one.query('begin isolation level repeatable read')
  await one.query('select 1')
  await defineSchedule(other, 'unseen', 'unseen', { every_ms: 60_000 })
  await expect(defineSchedule(one, 'unseen', 'unseen', { every_ms: 120_000 })).rejects.toMatchObject({
    code: '40001',
  })
  await one.query('rollback')
})

test('failures of runs that outlive the removal of their schedule do not count once it is back', async () => {
  const { steps } = await registerPipeline(database, 'outlived', chain('only'))
  const worker = await registerWorker(database, { handlers: steps.map(({ handler }) => handler) })
  const settings = { every_ms: 3_600_000, overlap: 'allow', pause_after: 3 }
  await defineSchedule(database, 'outlived', 'outlived', settings)
  for (let n = 0; n < 3; n++) await database.query(`select millrace.trigger_schedule('outlived')`)
  await database.query(`select millrace.remove_schedule('outlived')`)
  const tasks = await claim(database, worker, 3)
  const error = { code: 'broken', message: 'It broke.', retryable: false }
  await fail(
    database,
    worker,
    tasks.map((task) => ({ task, error })),
  )
  await database.query('select millrace.settle_firings()')
  await defineSchedule(database, 'outlived', 'outlived', settings)
  expect(
    await database.query(`select failures, paused_at from millrace.schedule where name = 'outlived'`),
  ).toEqual([{ failures: 0, paused_at: null }])
})

test('a pattern that is never due is the fault of its schedule, once what was due before it has fired', async () => {
  await registerPipeline(database, 'never', chain('only'))
  const start = await database.clock.now()
  await defineSchedule(database, 'never', 'never', { every_ms: 30_000, overlap: 'allow' })
  await database.clock.advance('31s')
  await defineSchedule(database, 'never', 'never', { cron: '0 0 31 2 *', timezone: 'UTC' })
  await schedulerOn(database.pool)()
  expect(await firingsOf(database, 'never', start)).toMatchObject([{ slots: 1, state: 'started' }])
  expect(
    await database.query(
      `select due_at, fault ->> 'message' as fault from millrace.schedule where name = 'never'`,
    ),
  ).toEqual([{ due_at: null, fault: expect.stringContaining('no year has') as string }])
  await database.clock.reset()
})
