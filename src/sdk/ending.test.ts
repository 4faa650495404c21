// What follows the outcome of a run, from the builder to its end: handlers, their contexts, the account.
import { afterAll, describe, expect, test } from 'vitest'
import { findBrokenInvariants } from '../../test/checker.ts'
import { until } from '../../test/deadline.ts'
import { Arrival, openMillrace } from '../../test/millrace.ts'
import { tellAccount } from '../core/account.ts'
import { PermanentError } from '../core/errors.ts'
import { runAccount } from '../db/accounts.ts'
import { poolCaller } from '../db/call.ts'
import { pipeline } from './pipeline.ts'

const { database, opened } = await openMillrace()
afterAll(async () => {
  expect(await findBrokenInvariants(database)).toEqual([])
})

const account = async (run: string) =>
  tellAccount(await runAccount(poolCaller(database.pool, { prepare: false, database: 'test' }), run))
const words = (text: string) => text.replace(/\s+/g, ' ')
const refuse = (): never => {
  throw new PermanentError('The card was refused.')
}

test('a run that fails is undone in reverse, with what each step gave and why, then onFailure is told, and the account tells all', async () => {
  const seen: unknown[] = []
  const order = pipeline('order')
    .step('book', () => ({ booking: 7 }))
    .undo(({ output, error }) => void seen.push(['book', output, error?.message]))
    .step('items', () => ['a', 'b', 'c'])
    .map('reserve', { over: 'items' }, ({ item }) => item.toUpperCase())
    .undo(({ output, item, index }) => void seen.push(['reserve', output, item, index]))
    .step('charge', { after: 'reserve' }, (): string => refuse())
    .onFailure(({ error, steps }) => {
      seen.push(['failure', error.step, steps.book, steps.charge])
    })
    .onSuccess(() => void seen.push('success'))
  await opened.worker({ pipelines: [order] })
  const client = opened.client()
  const { run } = await client.start(order, null)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
  expect(seen.slice(0, 3).toSorted()).toEqual([
    ['reserve', 'A', 'a', 0],
    ['reserve', 'B', 'b', 1],
    ['reserve', 'C', 'c', 2],
  ])
  expect(seen.slice(3)).toEqual([
    ['book', { booking: 7 }, 'The card was refused.'],
    ['failure', 'charge', { booking: 7 }, undefined],
  ])
  const told = await account(run!.id)
  expect(words(told)).toMatch(/undo-reserve undoes reserve.* completed/)
  expect(words(told)).toMatch(/on-failure after the failure completed/)
  expect(told).not.toContain('on-success')
})

test('items that never ran leave the others in their places', async () => {
  const undone: unknown[] = []
  const partial = pipeline('partial')
    .step('items', () => ['a', 'b', 'c', 'd'])
    .map('each', { over: 'items', concurrency: 1 }, ({ item, index }) =>
      index === 2 ? refuse() : item.toUpperCase(),
    )
    .undo(({ output, index }) => void undone.push([output, index]))
    .onFailure(({ steps }) => void undone.push(steps.each))
  await opened.worker({ pipelines: [partial] })
  const client = opened.client()
  const { run } = await client.start(partial, null)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
  expect(undone).toEqual([
    ['A', 0],
    ['B', 1],
    ['A', 'B', undefined],
  ])
})

test('what undoes a map is told as failed where one of its items did, and as cancelled where others never began', async () => {
  const stuck = new Arrival()
  const booked = pipeline('booked')
    .step('items', () => ['a', 'b', 'c'])
    .map('book', { over: 'items' }, ({ item }) => item)
    .undo({ retry: { attempts: 1 } }, ({ index }) => {
      if (index === 1) throw new Error('the hotel is closed')
    })
    .step('charge', { after: 'book' }, (): string => refuse())
  const held = pipeline('held-back')
    .step('items', () => ['a', 'b', 'c'])
    .map('book', { over: 'items', concurrency: 1 }, ({ item }) => item)
    .undo(async ({ index, abort }) => {
      if (index === 0) return
      stuck.arrive()
      await new Promise((resolve) => abort.addEventListener('abort', resolve))
    })
    .step('charge', { after: 'book' }, (): string => refuse())
  await opened.worker({ pipelines: [booked, held] })
  const client = opened.client()
  const { run } = await client.start(booked, null)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
  expect(words(await account(run!.id))).toMatch(
    /undo-book undoes book, 3 items failed 2 of 3 items completed; 1 attempt at 1 item failed\..*the hotel is closed/,
  )
  const { run: other } = await client.start(held, null)
  await stuck.come
  expect(await client.run(other!.id).cancel('enough')).toBe(true)
  await until('its undoing has stopped', async () =>
    /undo-book undoes book, 3 items cancelled 2 of 3 items completed/.test(words(await account(other!.id))),
  )
})

test('an item that completed before its map took the fallback is undone with what it gave itself', async () => {
  const undone: unknown[] = []
  const partial = pipeline('fallen-back')
    .step('items', () => ['a', 'b'])
    .map('each', { over: 'items', concurrency: 1, onError: { fallback: ['none'] } }, ({ item, index }) =>
      index === 1 ? refuse() : item.toUpperCase(),
    )
    .undo(({ output, index }) => void undone.push([output, index]))
    .step('end', { after: 'each' }, (): string => refuse())
  await opened.worker({ pipelines: [partial] })
  const client = opened.client()
  const { run } = await client.start(partial, null)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
  expect(undone).toEqual([['A', 0]])
})

test('onSuccess finds every output, and its failure leaves the run completed', async () => {
  let seen: unknown
  const well = pipeline('well')
    .step('a', () => 1)
    .step('b', ({ steps }) => steps.a + 1)
    .onSuccess({ retry: { attempts: 1 } }, ({ steps }) => {
      seen = { ...steps }
      throw new Error('the mail server is away')
    })
  await opened.worker({ pipelines: [well] })
  const client = opened.client()
  const { run } = await client.start(well, null)
  expect(await client.run<typeof well>(run!.id).result()).toBe(2)
  expect(seen).toEqual({ a: 1, b: 2 })
  expect(words(await account(run!.id))).toMatch(
    /on-success after the success failed.*the mail server is away/,
  )
})

test('an undo writes its rows in one transaction with its own completion', async () => {
  await database.query('create table refund (id int primary key)')
  const paid = pipeline('paid')
    .step('charge', () => ({ id: 5 }))
    .undo({ tx: true }, async ({ output, sql }) => {
      await sql`insert into refund (id) values (${output.id})`
    })
    .step('ship', (): string => refuse())
  await opened.worker({ pipelines: [paid] })
  const client = opened.client()
  const { run } = await client.start(paid, null)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
  expect(await database.query('select id from refund')).toEqual([{ id: 5 }])
})

test('a run that is cancelled with undo is undone, and told to be cancelled', async () => {
  const begun = new Arrival()
  const outcomes: unknown[] = []
  const long = pipeline('long')
    .step('a', () => 1)
    .undo(({ outcome, error }) => void outcomes.push([outcome, error]))
    .step('b', async ({ abort }) => {
      begun.arrive()
      await new Promise((resolve) => abort.addEventListener('abort', resolve))
    })
  await opened.worker({ pipelines: [long] })
  const client = opened.client()
  const { run } = await client.start(long, null)
  await begun.come
  expect(await client.run(run!.id).cancel('no longer wanted', { undo: true })).toBe(true)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({ code: 'run_cancelled' })
  expect(outcomes).toEqual([['cancelled', null]])
})

describe('is refused:', () => {
  const refused: ReadonlyArray<readonly [string, () => unknown, string]> = [
    ['an undo of nothing', () => pipeline('p').undo(() => 1), 'steps_missing'],
    [
      'a second undo',
      () =>
        pipeline('p')
          .step('a', () => 1)
          .undo(() => 1)
          .undo(() => 1),
      'step_name_taken',
    ],
    [
      'a second onFailure',
      () =>
        pipeline('p')
          .step('a', () => 1)
          .onFailure(() => 1)
          .onFailure(() => 1),
      'step_name_taken',
    ],
    [
      'an undo without a handler',
      () =>
        pipeline('p')
          .step('a', () => 1)
          .undo(undefined as never),
      'step_option_invalid',
    ],
  ]
  test.each(refused)('%s', (_, write, code) => {
    expect(write).toThrow(expect.objectContaining({ code }))
  })
})

test('the step after an undo comes after the step that is undone', () => {
  const { steps } = pipeline('p')
    .step('a', () => 1)
    .undo(() => 1)
    .step('b', () => 2)
    .onFailure(() => 3).graph
  expect(steps).toMatchObject([
    { name: 'a', after: [] },
    { name: 'undo-a', kind: 'undo', undoes: 'a', after: [] },
    { name: 'b', after: ['a'] },
    { name: 'on-failure', kind: 'finally', follows: 'failed', after: [] },
  ])
})
