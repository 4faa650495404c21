// A row that makes a pass of maintenance fail is set aside and told, and the pass goes on with all others.
import { beforeEach, expect, test } from 'vitest'
import { until } from '../../../test/deadline.ts'
import { openMillrace } from '../../../test/millrace.ts'
import { workerFor, workerOf } from '../../../test/pipeline-worker.ts'
import {
  attemptsOf,
  chain,
  claimOne,
  newId,
  promote,
  registerPipeline,
  startRun,
  sweep,
} from '../../../test/protocol.ts'
import { pipeline } from '../../../src/sdk/pipeline.ts'

const { database, opened } = await openMillrace()

beforeEach(async () => {
  await database.clock.advance('1 hour')
})

/** From now on nothing that is written of this run in a table passes, as with a constraint that it breaks. */
async function poison(table: string, run: string): Promise<() => Promise<void>> {
  const name = `poison_${run.replaceAll('-', '')}`
  await database.query(
    `create function public.${name}() returns trigger language plpgsql as
       'begin if new.run_id = ''${run}'' then raise exception ''it is poisoned'' using errcode = ''23514''; end if; return new; end'`,
  )
  await database.query(
    `create trigger poison before insert or update on millrace.${table} for each row execute function public.${name}()`,
  )
  return async () => {
    await database.query(`drop function public.${name}() cascade`)
  }
}

const inAnHour = async (): Promise<string> =>
  new Date((await database.clock.now()).getTime() + 3_600_000).toISOString()

test('B14 a waiting task that cannot be promoted is set aside for a minute, and all others are promoted', async () => {
  await registerPipeline(database, 'waits', chain('only'))
  const availableAt = await inAnHour()
  const runs: string[] = []
  for (let n = 0; n < 3; n++) runs.push((await startRun(database, 'waits', null, { availableAt })).run_id)
  const heal = await poison('task', runs[1]!)
  await database.clock.advance('1 hour')
  expect(await promote(database)).toBe(2)
  expect(await promote(database)).toBe(0)
  await heal()
  expect(await promote(database)).toBe(0)
  await database.clock.advance('61 seconds')
  expect(await promote(database)).toBe(1)
})

test('B14 what a gone worker held and cannot be taken back keeps no other worker from being swept, and is taken back later', async () => {
  const worker = await workerOf(database, 'stuck', chain('only'), { leaseSeconds: 10 })
  const { run_id: bad } = await startRun(database, 'stuck')
  const first = await claimOne(database, worker)
  const { run_id: good } = await startRun(database, 'stuck')
  await claimOne(database, await workerFor(database, 'stuck', { leaseSeconds: 10 }))
  const heal = await poison('attempt', first.run_id)
  await database.clock.advance('1 hour')
  expect(await sweep(database)).toBe(1)
  expect(await attemptsOf(database, good)).toMatchObject([{ outcome: 'reclaimed' }])
  expect(await attemptsOf(database, bad)).toEqual([])
  await heal()
  await database.clock.advance('61 seconds')
  expect(await sweep(database)).toBe(1)
  expect(await attemptsOf(database, bad)).toMatchObject([{ outcome: 'reclaimed' }])
})

test('B14 a worker whose heartbeats come upon a row that cannot be worked off tells it once and lives on, and all else is done', async () => {
  const later = pipeline('poisoned').step('go', () => 'gone')
  const client = opened.client()
  const worker = await opened.worker({ pipelines: [later], heartbeatMs: 100, leaseSeconds: 3 })
  const availableAt = new Date((await database.clock.now()).getTime() + 600_000)
  const id = newId((await database.clock.now()).getTime())
  await startRun(database, later.slug, null, { availableAt: availableAt.toISOString(), id })
  const fine = await client.start(later, null, { availableAt })
  const heal = await poison('task', id)
  await database.clock.advance('10 minutes')
  expect(await client.run(fine.run!.id).result()).toBe('gone')
  await until('it is told', () => opened.log.some(({ message }) => message.includes('it is poisoned')))
  expect(opened.log).toMatchObject([
    { level: 'error', message: expect.stringContaining(`run ${id} was set aside`) },
  ])
  await heal()
  await database.clock.advance('2 minutes')
  expect(await client.run(id).result()).toBe('gone')
  expect(worker.state).not.toBe('gone')
})
