// Faults on order: each comes about once, for one end of a handler whose attempt its worker still holds.
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { createEngine } from '../../test/engine.ts'
import { pipeline } from '../sdk/pipeline.ts'
import type { TestEngine } from './engine.ts'

const engines: TestEngine[] = []

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.close()))
})

async function engineFor(pipelines: Parameters<typeof createEngine>[0]): Promise<TestEngine> {
  const engine = await createEngine(pipelines, { log: () => {} })
  engines.push(engine)
  return engine
}

test('two faults of a kind for one step are two', async () => {
  const storing = pipeline('storing').step('store', ({ attempt }) => attempt)
  const engine = await engineFor([storing])
  const deaths = [engine.crashAfter('store'), engine.crashAfter('store')]
  expect(await engine.result(await engine.start(storing, null))).toBe(3)
  const run = await engine.start(storing, null)
  const losses = [engine.loseLease(run), engine.loseLease(run)]
  expect(await engine.result(run)).toBe(3)
  expect([...deaths, ...losses].map(({ fired }) => fired)).toEqual([true, true, true, true])
})

test('the handlers of a batch end as one, with one fault', async () => {
  const mailing = pipeline('mailing', { input: z.int() }).batch(
    'send',
    { size: 2, within: '1s' },
    ({ items }) => items.map(({ attempt }) => attempt),
  )
  const engine = await engineFor([mailing])
  const faults = [engine.crashAfter('send'), engine.crashAfter('send')]
  const runs = [await engine.start(mailing, 1), await engine.start(mailing, 2)]
  await engine.runUntilIdle({ advanceTime: true })
  for (const run of runs) expect(await engine.result(run)).toBe(3)
  expect(faults.map(({ fired }) => fired)).toEqual([true, true])
})

test('a handler that a dead worker left running brings nothing about', async () => {
  const first = pipeline('first').step('a', () => begun)
  const second = pipeline('second').step('b', async ({ attempt, abort }) => {
    begin()
    if (attempt === 1) await new Promise((resolve) => abort.addEventListener('abort', resolve))
    return attempt
  })
  let begin = () => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const engine = await engineFor([first, second])
  engine.crashAfter('a')
  const fault = engine.crashAfter('b')
  await engine.start(first, null)
  const run = await engine.start(second, null)
  // Lost by the first crash, and by the second one.
  expect(await engine.result(run)).toBe(3)
  expect(fault.fired).toBe(true)
})

test('one step of a run loses its lease, and none of those beside it', async () => {
  let goOn = () => {}
  const again = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const wide = pipeline('wide')
    .step('list', () => [0, 1])
    .map('each', { over: 'list' }, async ({ item, attempt }) => {
      if (item === 0 && attempt === 1) engine.loseLease(run)
      if (item === 0 && attempt === 2) goOn()
      if (item === 1) await again
      return attempt
    })
    .step('attempts', ({ steps }) => steps.each)
  const engine = await engineFor([wide])
  const run = await engine.start(wide, null)
  expect(await engine.result(run)).toEqual([2, 1])
})
