// Batches under the test engine: their time passes when it is told, a step is doubled, a worker dies in the middle, and the account tells who was together.
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { createEngine } from './engine.ts'
import { pipeline } from '../src/sdk/pipeline.ts'
import type { TestEngine } from '../src/testing/engine.ts'

const engines: TestEngine[] = []

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.close()))
})

async function engineFor(...given: Parameters<typeof createEngine>): Promise<TestEngine> {
  const engine = await createEngine(...given)
  engines.push(engine)
  return engine
}

const mails = () => {
  const sizes: number[] = []
  const built = pipeline('mails', { input: z.object({ to: z.string() }) }).batch(
    'mail',
    { size: 3, within: '5s', retry: { attempts: 3, initial: '1m', jitter: 'none' } },
    ({ items }) => {
      sizes.push(items.length)
      return items.map(({ input }) => `sent to ${input.to}`)
    },
  )
  return { sizes, built }
}

test('what waits for others goes when the time was moved to where it waits no longer', async () => {
  const { sizes, built } = mails()
  const engine = await engineFor([built])
  const [first, second] = [await engine.start(built, { to: 'a' }), await engine.start(built, { to: 'b' })]
  await engine.runUntilIdle()
  expect(sizes).toEqual([])
  expect(await engine.account(first)).toContain(
    'mail: ready since 00:00:00.000, for a batch of 3, or what there is at',
  )
  await engine.advance('4s')
  expect(sizes).toEqual([])
  await engine.advance('1s')
  expect(sizes).toEqual([2])
  expect([await engine.result(first), await engine.result(second)]).toEqual(['sent to a', 'sent to b'])
  const account = await engine.account(first)
  expect(account).toMatch(
    /attempt 1 completed in 0 ms on a worker, in a batch of 2,\s+having waited 5.0 s\s+with it: run ID-2\n/,
  )
})

test('a full batch goes at once, and a step of a batch is doubled as others are, call by call', async () => {
  const { built } = mails()
  const engine = await engineFor([built])
  const mock = engine.mock(built, 'mail', ({ items }) => items!.map(({ attempt }) => attempt))
  const runs = []
  for (const to of ['a', 'b', 'c']) runs.push(await engine.start(built, { to }))
  await engine.runUntilIdle()
  expect(await Promise.all(runs.map((run) => engine.result(run)))).toEqual([1, 1, 1])
  expect(mock.calls.map(({ input }) => input)).toEqual([{ to: 'a' }, { to: 'b' }, { to: 'c' }])
})

test('a worker that dies when its handler has ended loses nothing: each task of the batch runs again, in another one', async () => {
  const { sizes, built } = mails()
  const engine = await engineFor([built])
  engine.crashAfter('mail')
  const runs = []
  for (const to of ['a', 'b', 'c']) runs.push(await engine.start(built, { to }))
  await engine.runUntilIdle({ advanceTime: true })
  expect(await Promise.all(runs.map((run) => engine.result(run)))).toEqual([
    'sent to a',
    'sent to b',
    'sent to c',
  ])
  expect(sizes).toEqual([3, 3])
  const outcomes = await engine.query(
    'select attempt, outcome from millrace.attempt order by attempt, run_id',
  )
  expect(outcomes).toEqual([
    ...runs.map(() => ({ attempt: 1, outcome: 'reclaimed' })),
    ...runs.map(() => ({ attempt: 2, outcome: 'completed' })),
  ])
})

test('one task that lost its lease in the middle is dropped and runs again, and the others of its batch are done', async () => {
  const { sizes, built } = mails()
  const engine = await engineFor([built])
  const runs = []
  for (const to of ['a', 'b', 'c']) runs.push(await engine.start(built, { to }))
  engine.loseLease(runs[1]!)
  await engine.runUntilIdle({ advanceTime: true })
  expect(await engine.result(runs[1]!)).toBe('sent to b')
  expect(sizes).toEqual([3, 1])
  const attempts = await engine.query<{ n: number }>(
    'select count(*)::int as n from millrace.attempt group by run_id order by 1',
  )
  expect(attempts.map(({ n }) => n)).toEqual([1, 1, 2])
})

test('a dead letter of a batch is redriven, a run is forked from it, an undo takes back what it gave, one by one', async () => {
  const undone: string[] = []
  let broken = true
  const booked = pipeline('booked', { input: z.object({ to: z.string() }) })
    .batch('book', { size: 2, within: '1s', retry: { attempts: 1 } }, ({ items }) =>
      items.map(({ input }) => (broken && input.to === 'b' ? new Error('full') : `for ${input.to}`)),
    )
    .undo(({ output }) => {
      undone.push(output)
    })
    .step('pay', { retry: { attempts: 1 } }, ({ input }) => {
      if (input.to === 'a') throw new Error('no money')
    })
  const engine = await engineFor([booked])
  const [first, second] = [await engine.start(booked, { to: 'a' }), await engine.start(booked, { to: 'b' })]
  await engine.runUntilIdle({ advanceTime: true })
  expect(undone).toEqual(['for a'])
  await expect(engine.result(second)).rejects.toThrow('full')
  broken = false
  await engine.client.run(second.id).redrive()
  await engine.runUntilIdle({ advanceTime: true })
  expect(await engine.result(second)).toBeNull()
  const fork = await engine.client.run(second.id).fork('book')
  await engine.runUntilIdle({ advanceTime: true })
  expect(await engine.result(fork.run!.id)).toBeNull()
  await expect(engine.result(first)).rejects.toThrow('no money')
})
