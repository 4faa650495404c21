// The detector of what is stuck: it finds each kind of what stands still once workers could have taken it back, and tells where it can't look.
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../database.ts'
import { workerOf } from '../pipeline-worker.ts'
import { chain, claimOne, startRun } from '../protocol.ts'
import { Detector, type DetectorParts } from './detector.ts'
import { findStuck } from './stuck.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

const stuckSeconds = 60
/** As if it had been so for long. */
const longAgo = "clock_timestamp() - interval '3 minutes'"

const graceSeconds = 15

/** By a lease that ends the grace at once, unless another is given. */
const looked = async (pool: DetectorParts['pool'], leaseSeconds = -graceSeconds) => {
  const detector = new Detector({ pool, seats: [], leaseSeconds })
  await detector.look()
  return detector.found
}

const connect = async (applicationName: string): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString: database.url, application_name: applicationName })
  await client.connect()
  return client
}

test('what is ready, held, due, waiting for a limit or not ended for too long is stuck, and nothing before; all that may say why is told', async () => {
  const worker = await workerOf(database, 'stuck', chain('only'))
  const { run_id } = await startRun(database, 'stuck')
  const found = async () =>
    (await findStuck(database, stuckSeconds)).map(({ run_id: run, what }) => [run, what])
  expect(await found()).toEqual([])
  expect(await looked(database.pool)).toBeUndefined()

  await database.query(`update millrace.task set ready_at = ${longAgo}`)
  expect(await found()).toEqual([[run_id, expect.stringContaining('is ready since')]])
  await claimOne(database, worker)
  expect(await found()).toEqual([])
  await database.query(`update millrace.task set claimed_at = ${longAgo}`)
  expect(await found()).toEqual([[run_id, expect.stringContaining('is held since')]])
  await database.query(`update millrace.run set created_at = ${longAgo}`)
  expect(await found()).toContainEqual([run_id, expect.stringContaining('it was started at')])

  const later = new Date(Date.now() + 3_600_000).toISOString()
  const { run_id: waiting } = await startRun(database, 'stuck', null, { availableAt: later })
  const puts = (what: string) =>
    database.query(`update millrace.waiting_task set ${what} where run_id = $1`, [waiting])
  await puts(`available_at = ${longAgo}`)
  expect(await found()).toContainEqual([waiting, expect.stringContaining('was due at')])
  await puts(`available_at = '${later}', queued_at = ${longAgo}`)
  expect(await found()).toContainEqual([waiting, expect.stringContaining('waits for a limit since')])

  const heart = () => connect('millrace heartbeat')
  const hearts = [await heart()]
  expect(await looked(database.pool), 'where one worker is connected').toBeUndefined()
  hearts.push(await heart())
  expect(await looked(database.pool, 60), 'before they may take anything back').toBeUndefined()
  const told = await looked(database.pool)
  expect(told).toContain(`${run_id}: task`)
  for (const title of ['runs', 'account', 'events', 'waits', 'limits', 'locks', 'activity'])
    expect(told).toContain(`\n${title}:`)
  expect(told).toContain(`"id":"${run_id}","slug":"stuck"`)
  for (const one of hearts) await one.end()
})

test('a detector that can not look finds that, and one whose server is away finds nothing', async () => {
  const failing = (error: Error) => ({ query: () => Promise.reject(error) }) as never
  const away = Object.assign(new Error('gone'), { code: 'ECONNREFUSED' })
  expect(await looked(failing(away))).toBeUndefined()
  const renamed = Object.assign(new Error('column "ready_at" does not exist'), {
    severity: 'ERROR',
    code: '42703',
  })
  expect(await looked(failing(renamed))).toMatch(/^The detector failed: .*column "ready_at" does not exist/)
})
