// How a test engine moves: what comes about at one moment without the time being moved, and what the time is moved to.
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { createEngine } from '../../test/engine.ts'
import { limit, type LimitOptions } from '../sdk/limit.ts'
import { pipeline } from '../sdk/pipeline.ts'
import type { TestEngine } from './engine.ts'

const engines: TestEngine[] = []

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.close()))
})

async function engineFor(...given: Parameters<typeof createEngine>): Promise<TestEngine> {
  const engine = await createEngine(...given)
  engines.push(engine)
  return engine
}

test('a run whose place another one takes is cancelled at once, and the newcomer begins', async () => {
  const importing = pipeline('import', {
    input: z.object({ account: z.string(), file: z.string() }),
    latest: { key: 'account', do: 'cancel other' },
  }).step('read', async ({ input, durable }) => {
    if (input.file === 'old') await durable.signal('go on')
    return input.file
  })
  const engine = await engineFor([importing])
  const old = await engine.start(importing, { account: 'a', file: 'old' })
  await engine.runUntilIdle()
  const began = engine.now()
  const newcomer = await engine.start(importing, { account: 'a', file: 'new' })
  expect(await engine.result(newcomer)).toBe('new')
  await expect(engine.result(old)).rejects.toMatchObject({ code: 'run_cancelled' })
  expect(engine.now()).toEqual(began)
})

test.each([
  { strategy: 'reject newest', cancelled: 2, left: 1 },
  { strategy: 'cancel oldest', cancelled: 1, left: 2 },
] as const)('a limit with $strategy cancels at once', async ({ strategy, cancelled, left }) => {
  const only: LimitOptions = { concurrency: 1, strategy }
  const calling = pipeline('calling', { input: z.int(), limits: [limit('gateway', only)] }).step(
    'call',
    async ({ input, abort }) => {
      if (strategy === 'cancel oldest' && input === 1) await aborted(abort)
      return input
    },
  )
  const engine = await engineFor([calling])
  const runs = new Map([
    [1, await engine.start(calling, 1)],
    [2, await engine.start(calling, 2)],
  ])
  expect(await engine.result(runs.get(left)!)).toBe(left)
  await expect(engine.result(runs.get(cancelled)!)).rejects.toMatchObject({ code: 'run_cancelled' })
})

function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}
