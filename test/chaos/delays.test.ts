// The calm of a run of chaos is what looks say of it; and what stayed where it was while it was calm is found in the history.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../database.ts'
import { workerOf } from '../pipeline-worker.ts'
import { chain, claimOne, complete, startRun } from '../protocol.ts'
import { Calm } from './calm.ts'
import { findDelays } from './delays.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

const noted = (looks: ReadonlyArray<readonly [at: number, isCalm: boolean]>): Calm => {
  const calm = new Calm()
  for (const [at, isCalm] of looks) calm.noted(at, isCalm)
  return calm
}

/** A look each second, from one time to another. */
const calmFrom = (from: number, to: number): Calm => {
  const calm = new Calm()
  for (let at = from; at <= to; at += 1_000) calm.noted(at, true)
  return calm
}

test('it is calm between two looks that say so, and not between those that are far apart or of which one does not', () => {
  const calm = noted([
    [1_000, true],
    [2_000, true],
    [3_000, true],
    [4_000, false],
    [5_000, true],
    [20_000, true],
    [21_000, true],
  ])
  expect(calm.all).toBe(3_000)
  expect(calm.lasting).toBe(1_000)
  expect(calm.within(1_500, 20_250)).toBe(1_750)
  expect(calm.within(3_000, 20_000)).toBe(0)
  calm.noted(22_000, false)
  expect(calm.lasting).toBeUndefined()
})

test('what a worker held beyond its lease, and what was ready, is late by how long of that was calm', async () => {
  const worker = await workerOf(database, 'delayed', chain('only'))
  const { run_id: run } = await startRun(database, 'delayed')
  await complete(database, worker, [{ task: await claimOne(database, worker) }])
  const at = 1_000 * Math.floor(Date.now() / 1_000)
  const time = (ms: number) => `to_timestamp(${ms / 1_000})`
  const always = calmFrom(at - 60_000, at + 300_000)
  expect(await findDelays(database, always)).toEqual([])

  await database.query(
    `update millrace.attempt set ready_at = ${time(at)}, started_at = ${time(at + 70_000)}, finished_at = ${time(at + 71_000)}`,
  )
  const late = `what is ready begins: ${run} only, attempt 1, 70.0 s, of which`
  expect(await findDelays(database, always)).toEqual([`${late} 70.0 s were calm`])
  expect(await findDelays(database, calmFrom(at - 5_000, at + 61_000))).toEqual([`${late} 61.0 s were calm`])
  expect(await findDelays(database, calmFrom(at - 5_000, at + 60_000))).toEqual([])

  await database.query(
    `update millrace.attempt set started_at = ready_at, outcome = 'reclaimed', output = null;
     update millrace.worker set lease_expires_at = ${time(at + 50_000)}, heartbeat_at = ${time(at)}`,
  )
  expect(await findDelays(database, always)).toEqual([
    `I5 what a worker held is taken back once its lease is over: ${run} only, attempt 1, 21.0 s, of which 21.0 s were calm`,
  ])
  expect(await findDelays(database, calmFrom(at, at + 65_000))).toEqual([])
})
