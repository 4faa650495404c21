// Wake-ups and re-applied functions around a worker that runs: nobody is notified without need, and a migration disturbs no work.
import pg from 'pg'
import { expect, test } from 'vitest'
import { migrate } from '../../src/db/migrate.ts'
import { allEnded, expectLoadDone, recordFigure, startLoad } from './effects.ts'
import { holdPipelines } from './pipelines.ts'
import { until } from '../deadline.ts'
import { programsOnDatabase } from './programs-on.ts'

const { hold } = holdPipelines(() => {})

const { database, client, programs } = await programsOnDatabase()

const options = () => ({ database: database.url, leaseSeconds: 10, heartbeatMs: 300, slots: 2 })

test('F4 500 starts send no notification while no worker sleeps, and one wakes a worker that does', async () => {
  await programs.start(options())
  const ear = await listen()
  const busy = await Promise.all([1, 2].map(() => client.start(hold, { ms: 60_000, deaf: false })))
  await until('a busy worker', async () => (await sleepers()) === 0 && (await heldCount()) === 2)
  ear.heard.length = 0
  const runs: string[] = []
  for (let n = 0; n < 50; n++) runs.push(...(await startLoad(client, 10, 1)))
  await ear.settled()
  expect(ear.heard).toEqual([])

  for (const { run } of busy) await client.run(run!).cancel()
  await allEnded(database, runs)
  await until('a sleeping worker', async () => (await sleepers()) === 1)
  ear.heard.length = 0
  const began = performance.now()
  const woken = (await client.start(hold, { ms: 1, deaf: false })).run!
  await allEnded(database, [woken.id])
  recordFigure(
    'F4',
    `a run of an idle worker in another process ends ${(performance.now() - began).toFixed(0)} ms after its start`,
  )
  await ear.settled()
  expect(ear.heard.length).toBeGreaterThan(0)
  await expectLoadDone(database, runs)
  await ear.end()
}, 60_000)

test('L1 functions that are applied anew while a worker runs disturb no work', async () => {
  const worker = await programs.start({ ...options(), slots: 10 })
  const runs: string[] = []
  for (let times = 0; times < 5; times++) {
    runs.push(...(await startLoad(client, 30, 5)))
    // As a new version does whose functions differ: the migrator must not find that all is there already.
    await database.query("update millrace.function_set set checksum = 'another'")
    expect((await migrate({ connectionString: database.url })).functions).toBeGreaterThan(50)
  }
  runs.push(...(await startLoad(client, 30, 5)))
  await allEnded(database, runs)
  await expectLoadDone(database, runs)
  expect(worker.ended).toBe(false)
  expect(
    await database.query("select from millrace.attempt where outcome <> 'completed' and run_id = any ($1)", [
      runs,
    ]),
  ).toEqual([])
}, 60_000)

async function sleepers(): Promise<number> {
  return (await database.query('select from millrace.worker where sleeping')).length
}

async function heldCount(): Promise<number> {
  return (await database.query('select from millrace.task where worker_id is not null')).length
}

/** A connection that hears all wake-ups; settled once a notification of its own, sent after them, has come. */
async function listen() {
  const connection = new pg.Client(database.url)
  await connection.connect()
  const heard: string[] = []
  let marks = 0
  connection.on('notification', ({ channel }) => {
    if (channel === 'mark') marks++
    else heard.push(channel)
  })
  await connection.query('listen millrace_wake')
  await connection.query('listen mark')
  return {
    heard,
    settled: async () => {
      const seen = marks
      await connection.query('notify mark')
      await until('the mark', () => marks > seen)
    },
    end: () => connection.end(),
  }
}
