// Ageing: what waits becomes more urgent where its pipeline says so, and stays as it was everywhere else.
import { beforeAll, expect, test } from 'vitest'
import { defineLimit } from '../../../test/limits.ts'
import { openMeeting } from '../../../test/meeting.ts'
import {
  claim,
  claimOne,
  newId,
  registerWorker,
  startRuns,
  withPath,
  type Worker,
} from '../../../test/protocol.ts'

const { database, one, other } = await openMeeting()
beforeAll(async () => {
  await database.clock.freeze()
})

const minute = '1 minute'

async function workerOf(slug: string, graph: object): Promise<Worker> {
  await database.query('select * from millrace.register_pipeline($1, $2)', [
    slug,
    JSON.stringify({ steps: [{ name: 'only' }], ...graph }),
  ])
  const rows = await database.query<{ id: number }>('select id from millrace.handler where slug = $1', [slug])
  return registerWorker(database, { handlers: rows.map(({ id }) => id), slots: 500, leaseSeconds: 86_400 })
}

async function start(slug: string, priority: number, input: object = {}): Promise<string> {
  const id = newId()
  await startRuns(database, [{ id, slug, priority, input }])
  return id
}

const age = async (sql = database as Pick<typeof database, 'query'>): Promise<number> => {
  const [row] = await sql.query<{ answer: number }>(withPath('millrace.age_tasks(millrace.now())'))
  return row!.answer
}

const prioritiesOf = async (runs: readonly string[]): Promise<number[]> => {
  const rows = await database.query<{ run_id: string; priority: number }>(
    'select run_id, priority from millrace.task where run_id = any ($1) union all select run_id, priority from millrace.waiting_task where run_id = any ($1)',
    [runs],
  )
  return runs.map((run) => rows.find(({ run_id }) => run_id === run)!.priority)
}

test('a task rises by one level for each time that it has waited, up to the first, and its run says so', async () => {
  await workerOf('rising', { ageing_ms: 60_000 })
  const runs = [await start('rising', 9), await start('rising', 2)]
  expect(await age()).toBe(0)
  await database.clock.advance('59 seconds')
  expect(await age()).toBe(0)
  await database.clock.advance('1 second')
  expect(await age()).toBe(2)
  expect(await prioritiesOf(runs)).toEqual([8, 1])
  expect(await age()).toBe(0)
  await database.clock.advance('3 minutes')
  expect(await age()).toBe(1)
  expect(await prioritiesOf(runs)).toEqual([5, 1])
  const events = await database.query(
    `select step, actor, detail from millrace.event where run_id = $1 and kind = 'step.aged' order by id`,
    [runs[0]],
  )
  expect(events).toEqual([
    { step: 'only', actor: 'millrace', detail: { from: 9, to: 8, tasks: 1 } },
    { step: 'only', actor: 'millrace', detail: { from: 8, to: 5, tasks: 1 } },
  ])
})

test('JQ-4 what never comes first under a flood of more urgent ones is claimed once it is old enough, and not before', async () => {
  const worker = await workerOf('flooded', { ageing_ms: 60_000 })
  const patient = await start('flooded', 5)
  const claimed: string[] = []
  for (let turn = 0; turn < 6; turn++) {
    for (let n = 0; n < 3; n++) await start('flooded', 3)
    await age()
    claimed.push((await claimOne(database, worker)).run_id)
    await database.clock.advance(minute)
  }
  // The others age too, up to the same level: there it is the oldest.
  expect(claimed.indexOf(patient)).toBe(4)
})

test('off unless told: a task of another pipeline stays what it is, however long it waits', async () => {
  await workerOf('still', {})
  const run = await start('still', 9)
  await database.clock.advance('12 hours')
  await age()
  expect(await prioritiesOf([run])).toEqual([9])
})

test('what waits for a limit rises as well, and is called before those that came later', async () => {
  const worker = await workerOf('limited', { ageing_ms: 60_000 })
  await defineLimit(database, 'one', { kind: 'concurrency', capacity: 1 }, 'limited')
  await start('limited', 1)
  expect(await claim(database, worker, 1)).toHaveLength(1)
  const old = await start('limited', 6)
  expect(await claim(database, worker, 10)).toHaveLength(0)
  await database.clock.advance('2 minutes')
  const young = await start('limited', 5)
  expect(await claim(database, worker, 10)).toHaveLength(0)
  expect(await age()).toBeGreaterThan(0)
  expect(await prioritiesOf([old, young])).toEqual([4, 5])
})

test('a task that is held, or that somebody claims meanwhile, is left alone; and two that age at once make one step', async () => {
  const worker = await workerOf('held', { ageing_ms: 60_000 })
  const held = await start('held', 9)
  expect(await claim(database, worker, 1)).toHaveLength(1)
  const free = await start('held', 9)
  await database.clock.advance(minute)
  await one.query('begin')
  expect(await age(one)).toBeGreaterThan(0)
  expect(await age(other)).toBe(0)
  await one.query('commit')
  expect(await age(other)).toBe(0)
  expect(await prioritiesOf([held, free])).toEqual([9, 8])
})

test.each([0, 999, 1.5, '1m', null, 2_592_000_001])(
  'an ageing of %j is refused when it is registered',
  async (ageing) => {
    await expect(workerOf('wrong', { ageing_ms: ageing })).rejects.toThrow(/ageing_ms/)
  },
)

test('of more than rise at once, those that have risen do not stand in the way of the others', async () => {
  await workerOf('many', { ageing_ms: 60_000 })
  const runs = Array.from({ length: 1_100 }, () => newId())
  await startRuns(
    database,
    runs.map((id) => ({ id, slug: 'many', priority: 9 })),
  )
  await database.clock.advance(minute)
  for (let turn = 0; turn < 3; turn++) await age()
  expect(new Set(await prioritiesOf(runs))).toEqual(new Set([8]))
})
