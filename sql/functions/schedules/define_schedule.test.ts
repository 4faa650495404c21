// Schedules that several define at once: who comes second changes what is there, or is asked to try again.
import { expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { chain, registerPipeline, untilBlocked } from '../../../test/protocol.ts'
import { defineSchedule } from '../../../test/schedules.ts'

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
