// A rate that is written anew, or holds for something else: what has begun stays used up, and times are given anew from there.
import { beforeAll, expect, test } from 'vitest'
import { defineLimit } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { workerOf, workerOfAll } from '../../../test/pipeline-worker.ts'
import {
  chain,
  claim,
  promote,
  registerPipeline,
  runsOf,
  startInputs,
  type Worker,
} from '../../../test/protocol.ts'

const { database } = await openMeeting()

beforeAll(() => database.clock.freeze())

const rate = (units: number, perMs: number, burst = 1) => ({ kind: 'rate', units, per_ms: perMs, burst })

const many = (count: number) => Array.from({ length: count }, (_, n) => n)

async function begun(worker: Worker): Promise<string[]> {
  await promote(database)
  return runsOf(await claim(database, worker, 1_000))
}

test('a rate that comes to hold for more lets the next one begin at its time, however many wait', async () => {
  const worker = await workerOfAll(database, ['mails', 'letters'], chain('only'))
  await defineLimit(database, 'sent', rate(1, 1_000), 'mails')
  const runs = await startInputs(database, 'mails', many(200))
  expect(await begun(worker)).toEqual([runs[0]])
  await database.clock.advance('400ms')
  await defineLimit(database, 'sent', rate(1, 1_000), [{ slug: 'mails' }, { slug: 'letters' }])
  expect(await begun(worker)).toEqual([])
  for (const run of runs.slice(1, 4)) {
    await database.clock.advance(run === runs[1] ? '600ms' : '1s')
    expect(await begun(worker)).toEqual([run])
  }
})

test('a burst that is used up stays so where a rate comes to hold for more', async () => {
  const worker = await workerOf(database, 'burst', chain('only'))
  await registerPipeline(database, 'later', chain('only'))
  await defineLimit(database, 'burst', rate(1, 1_000, 3), 'burst')
  const runs = await startInputs(database, 'burst', many(6))
  expect(await begun(worker)).toEqual(runs.slice(0, 3))
  await defineLimit(database, 'burst', rate(1, 1_000, 3), [{ slug: 'burst' }, { slug: 'later' }])
  expect(await begun(worker)).toEqual([])
  await database.clock.advance('1s')
  expect(await begun(worker)).toEqual([runs[3]])
})

test('what has begun counts by the units of the new rate', async () => {
  const worker = await workerOf(database, 'faster', chain('only'))
  await defineLimit(database, 'faster', rate(2, 7_200_000, 2), 'faster')
  const runs = await startInputs(database, 'faster', many(8))
  expect(await begun(worker)).toEqual(runs.slice(0, 2))
  await defineLimit(database, 'faster', rate(1, 1_000, 5), 'faster')
  expect(await begun(worker)).toEqual(runs.slice(2, 5))
  await database.clock.advance('1s')
  expect(await begun(worker)).toEqual([runs[5]])
})

test.each([
  ['in the same numbers', 100],
  ['in numbers that were listed, and differ by their last digits', 18],
])('where an operator says a rate of the code anew %s, nobody gets another time', async (_, units) => {
  const slug = `said-${units}`
  const worker = await workerOf(database, slug, chain('only'))
  const limits = [{ name: slug, settings: rate(units, 3_500), targets: [{ slug }] }]
  await database.query('select millrace.define_code_limits($1, $2)', [JSON.stringify(limits), [slug]])
  const runs = await startInputs(database, slug, many(5))
  expect(await begun(worker)).toEqual(runs.slice(0, 1))
  const waiting = () =>
    database.query('select id, available_at from millrace.waiting_task where run_id = any ($1) order by id', [
      runs,
    ])
  const before = await waiting()
  expect(before).toHaveLength(4)
  const [listed] = await database.query<{ settings: Record<string, unknown> }>(
    'select settings from millrace.list_limits($1)',
    [slug],
  )
  expect(await defineLimit(database, slug, listed!.settings, slug)).toBe(2)
  expect(await waiting()).toEqual(before)
  expect(await begun(worker)).toEqual([])
})
