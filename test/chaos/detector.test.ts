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

/** Of workers of both generations, which are in order for long. */
const well = { wellSince: performance.now() - 60_000 }
const seats = [0, 1].map((generation) => ({ ...well, generation }))

/** By a lease that is over at once, and without a grace, unless others are given. */
const looking = (pool: DetectorParts['pool'], parts: Partial<DetectorParts> = {}) =>
  new Detector({ pool, seats, leaseSeconds: -1, graceSeconds: 0, ...parts })

const looked = async (pool: DetectorParts['pool'], parts: Partial<DetectorParts> = {}) => {
  const detector = looking(pool, parts)
  await detector.look()
  return detector.found
}

const connect = async (applicationName: string): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString: database.url, application_name: applicationName })
  await client.connect()
  return client
}

/** As that of a worker that was heard just now. */
const heart = async () => {
  const one = await connect('millrace heartbeat')
  await one.query('select 1')
  return one
}

test('what is ready, held, due, waiting for a limit or not ended for too long is stuck, and nothing before; all that may say why is told', async () => {
  const worker = await workerOf(database, 'stuck', chain('only'))
  const { run_id } = await startRun(database, 'stuck')
  const found = async () => (await findStuck(database, stuckSeconds)).map(({ run, what }) => [run, what])
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

  const hearts = [await heart()]
  expect(await looked(database.pool), 'where one worker is connected').toBeUndefined()
  hearts.push(await heart())
  const early = { leaseSeconds: 60 }
  expect(await looked(database.pool, early), 'before they may take anything back').toBeUndefined()
  expect(await looked(database.pool, { graceSeconds: 1 }), 'before they could').toBeUndefined()
  const old = { seats: seats.slice(1) }
  expect(await looked(database.pool, old), 'where one generation has no worker').toBeUndefined()
  const calmFor = async (ms: number) => {
    const detector = looking(database.pool, { graceSeconds: 1 })
    detector.calm.noted(Date.now() - ms, true)
    await detector.look()
    return [detector.looks, detector.found !== undefined]
  }
  expect(await calmFor(1_500), 'before it was calm for long enough').toEqual([1, false])
  expect(await calmFor(3_000)).toEqual([1, true])
  const told = await looked(database.pool)
  expect(told).toContain(`${run_id}: task`)
  for (const title of ['runs', 'account', 'events', 'waits', 'limits', 'locks', 'activity'])
    expect(told).toContain(`\n${title}:`)
  expect(told).toContain(`"id":"${run_id}","slug":"stuck"`)
  for (const one of hearts) await one.end()
})

test('a detector counts its looks, and how long it was calm', async () => {
  const detector = looking(database.pool)
  await detector.look()
  expect([detector.looks, detector.calm.all]).toEqual([0, 0])
  const hearts = [await heart(), await heart()]
  await database.query('delete from millrace.waiting_task')
  await database.query(
    'update millrace.task set ready_at = clock_timestamp(), claimed_at = clock_timestamp(); update millrace.run set created_at = clock_timestamp()',
  )
  await detector.look()
  await detector.look()
  expect(detector.found).toBeUndefined()
  expect(detector.looks).toBe(2)
  expect(detector.calm.all).toBeGreaterThan(0)
  for (const one of hearts) await one.end()
})

test('what is held beyond its lease, and a connection that rests in a transaction, is found by two looks', async () => {
  const resting = await connect('millrace resting')
  await resting.query('begin')
  const detector = looking(database.pool, { restingSeconds: -1 })
  await detector.look()
  expect(detector.broken).toEqual([])
  await detector.look()
  const rests = expect.stringMatching(/^I10 .*: millrace resting [0-9]+$/)
  expect(detector.broken).toEqual([rests])
  await detector.look()
  expect(detector.broken).toEqual([rests])
  await resting.end()

  const hearts = [await heart(), await heart()]
  await database.query(
    `update millrace.worker set heartbeat_at = ${longAgo}, lease_expires_at = ${longAgo}, lease_seconds = 10`,
  )
  const holding = looking(database.pool, { heldSeconds: 0 })
  await holding.look()
  expect(holding.broken).toEqual([])
  await holding.look()
  expect(holding.broken).toEqual([expect.stringMatching(/^I5 /)])
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
