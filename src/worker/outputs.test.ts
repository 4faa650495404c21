// What handlers find of the steps before them, where those were skipped, failed softly, or gave a list with gaps.
import { afterAll, expect, test } from 'vitest'
import { findBrokenInvariants } from '../../test/checker.ts'
import { openMillrace } from '../../test/millrace.ts'
import { attemptsOf } from '../../test/protocol.ts'
import { tellAccount } from '../core/account.ts'
import { PermanentError } from '../core/errors.ts'
import { runAccount } from '../db/accounts.ts'
import { poolCaller } from '../db/call.ts'
import { pipeline } from '../sdk/pipeline.ts'

const { database, opened } = await openMillrace()
afterAll(async () => {
  expect(await findBrokenInvariants(database)).toEqual([])
})

const gone = () => {
  throw new PermanentError('The service is away.')
}

test('FO-16 the steps after an optional service that is away find undefined, or its fallback', async () => {
  const enriching = pipeline('enriching')
    .step('must', () => 1)
    .step('photo', { after: 'must', onError: 'skip' }, (): string => gone())
    .step('score', { after: 'must', onError: { fallback: 'unknown' } }, (): number => gone())
    .step('join', { after: ['photo', 'score'] }, ({ steps }) => ({
      photo: steps.photo === undefined ? 'none' : steps.photo,
      score: steps.score,
    }))
  await opened.worker({ pipelines: [enriching] })
  const client = opened.client()
  const { run } = await client.start(enriching, null)
  expect(await client.run<typeof enriching>(run!.id).result()).toEqual({ photo: 'none', score: 'unknown' })
  expect(await attemptsOf(database, run!.id, 'photo')).toMatchObject([
    { attempt: 1, outcome: 'failed', retry_at: null },
    { attempt: 2, outcome: 'skipped', reason: expect.stringContaining('The service is away') },
  ])
  const told = tellAccount(
    await runAccount(poolCaller(database.pool, { prepare: false, database: 'test' }), run!.id),
  )
  expect(told).toMatch(/photo +skipped/)
  expect(told.replace(/\s+/g, ' ')).toContain(
    'skipped: it failed (permanent: The service is away), and its onError is skip',
  )
  expect(told.replace(/\s+/g, ' ')).toContain('its fallback was taken: it failed (permanent')
})

test('an item that failed is undefined in the list of its map, and null in what goes over that list', async () => {
  const partial = pipeline('partial')
    .step('list', () => ['a', 'b', 'c'])
    .map('upper', { over: 'list', failAfter: '50%', concurrency: 2 }, ({ item }): string =>
      item === 'b' ? gone() : item.toUpperCase(),
    )
    .map('again', { over: 'upper' }, ({ item }) => item)
    .step('tell', { after: ['upper', 'again'] }, ({ steps }) => ({
      gaps: steps.upper.flatMap((item, place) => (item === undefined ? [place] : [])),
      again: steps.again,
    }))
  await opened.worker({ pipelines: [partial] })
  const client = opened.client()
  const { run } = await client.start(partial, null)
  expect(await client.run<typeof partial>(run!.id).result()).toEqual({ gaps: [1], again: ['A', null, 'C'] })
})

test('after a redrive the steps find what it has given, where onFailure had found what was not there', async () => {
  let broken = true
  const told: string[] = []
  const redriven = pipeline('redriven', { retry: { attempts: 1 } })
    .step('list', () => [1, 2, 3])
    .map('each', { over: 'list' }, ({ item }): number => (broken && item === 2 ? gone() : item))
    .step('sum', ({ steps }) => steps.each.reduce((sum, n) => sum + n, 0))
    .onFailure(({ steps }) => void told.push(JSON.stringify([steps.each, steps.sum])))
    .onSuccess(({ steps }) => void told.push(JSON.stringify([steps.each, steps.sum])))
  await opened.worker({ pipelines: [redriven] })
  const client = opened.client()
  const { run } = await client.start(redriven, null)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
  broken = false
  expect(await client.run(run!.id).redrive()).toMatchObject({ redriven: true })
  expect(await client.run<typeof redriven>(run!.id).result()).toBe(6)
  expect(told).toEqual(['[[1,null,3],null]', '[[1,2,3],6]'])
})

test('never more items of a run are under way at a time than its map allows', async () => {
  let most = 0
  let now = 0
  const narrow = pipeline('narrow')
    .step('list', () => Array.from({ length: 40 }, (_, n) => n))
    .map('each', { over: 'list', concurrency: 3 }, async ({ item }) => {
      most = Math.max(most, ++now)
      await new Promise((resolve) => setImmediate(resolve))
      now--
      return item
    })
  await opened.worker({ pipelines: [narrow], slots: 20 })
  const client = opened.client()
  const { run } = await client.start(narrow, null)
  expect(await client.run<typeof narrow>(run!.id).result()).toHaveLength(40)
  expect(most).toBe(3)
})

test('an output that the database refused is forgotten: what follows finds the fallback', async () => {
  const refused = pipeline('refused')
    .step('bad', { onError: { fallback: 'fallback' }, retry: { attempts: 1 } }, () => '0'.repeat(10))
    .step('next', ({ steps }) => steps.bad)
  await database.query(
    `alter table millrace.attempt add constraint no_zeros check (output is distinct from '"0000000000"')`,
  )
  await opened.worker({ pipelines: [refused] })
  const client = opened.client()
  const { run } = await client.start(refused, null)
  expect(await client.run<typeof refused>(run!.id).result()).toBe('fallback')
  await database.query('alter table millrace.attempt drop constraint no_zeros')
})
