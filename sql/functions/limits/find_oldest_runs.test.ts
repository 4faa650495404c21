// Where the oldest makes room: who is known to hold a slot, and who begins when one comes free.
import { afterEach, expect, test } from 'vitest'
import { defineLimit, miscounted } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import {
  chain,
  claim,
  claimOne,
  completeAll,
  fail,
  runOf,
  runsOf,
  startInputs,
  sweep,
} from '../../../test/protocol.ts'

const { database } = await openMeeting()

afterEach(async () => {
  expect(await miscounted(database)).toEqual([])
})

const newest = (capacity: number) => ({ kind: 'concurrency', capacity, strategy: 'cancel_oldest' })

const start = (slug: string, inputs: unknown[]) => startInputs(database, slug, inputs)

test('a limit that is seldom full remembers few who have left, and still knows its oldest', async () => {
  const worker = await workerOf(database, 'seldom', chain('only'))
  await defineLimit(database, 'seldom', newest(2), 'seldom')
  const [oldest] = await start('seldom', [0])
  const held = await claim(database, worker, 1)
  for (let n = 0; n < 20; n++) {
    await start('seldom', [n])
    await completeAll(database, worker, [await claimOne(database, worker)])
  }
  const [state] = await database.query<{ remembered: number }>(
    `select cardinality(s.holders) as remembered from millrace.limit_state s join millrace.limit_rule k on k.id = s.rule_id where k.name = 'seldom'`,
  )
  expect(state!.remembered).toBeLessThan(6)
  const [next, last] = await start('seldom', [1, 2])
  held.push(...(await claim(database, worker, 10)))
  expect(runsOf(held)).toEqual([oldest, next])
  await sweep(database)
  expect((await runOf(database, oldest!)).state).toBe('cancelled')
  await fail(database, worker, [{ task: held[0]! }])
  expect(runsOf(await claim(database, worker, 10))).toEqual([last])
})
