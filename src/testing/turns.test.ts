// How a test engine moves: what comes about at one moment without the time being moved, and what the time is moved to.
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { createEngine } from '../../test/engine.ts'
import { applyWatches } from '../../test/watched.ts'
import { limit, type LimitOptions } from '../sdk/limit.ts'
import { connectOutside } from '../sdk/outside.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { schedule } from '../sdk/schedule.ts'
import { type Change, watch } from '../sdk/watch.ts'
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

test('what workers are to redrive is waited for', async () => {
  let isBroken = true
  const fragile = pipeline('fragile', { input: z.int(), retry: { attempts: 1 } }).step(
    'only',
    ({ input }) => {
      if (isBroken) throw new Error('the bank is closed')
      return input
    },
  )
  const engine = await engineFor([fragile])
  const runs = [
    await engine.start(fragile, 0),
    await engine.start(fragile, 1),
    await engine.start(fragile, 2),
  ]
  await engine.runUntilIdle()
  isBroken = false
  await engine.client.redrives.start({ pipeline: 'fragile' })
  for (const [output, run] of runs.entries()) expect(await engine.result(run)).toBe(output)
})

test('a redrive at a pace goes on at its own times', async () => {
  let isBroken = true
  const at: number[] = []
  const fragile = pipeline('fragile', { retry: { attempts: 1 } }).step('only', () => {
    if (isBroken) throw new Error('the bank is closed')
    at.push(engine.now().getTime() - began)
  })
  const engine = await engineFor([fragile])
  const began = engine.now().getTime()
  for (let run = 0; run < 3; run++) await engine.start(fragile, null)
  await engine.runUntilIdle()
  isBroken = false
  await engine.client.redrives.start({ pipeline: 'fragile' }, { rate: 0.1 })
  await engine.runUntilIdle({ advanceTime: true })
  expect(at).toEqual([0, 10_000, 20_000])
})

test('changes that are gathered for a while start their run when it is over', async () => {
  const noting = pipeline('noting', { input: z.custom<Change>() }).step('note', ({ input }) => [
    input.new?.['title'],
    engine.now().getTime() - began,
  ])
  const engine = await engineFor([noting], {
    triggers: [watch('person', { pipeline: noting, coalesce: '5s' })],
    log: () => {},
  })
  const began = engine.now().getTime()
  await engine.query('create table person (id int primary key, title text)')
  await applyWatches(engine)
  await engine.query("insert into person values (1, 'CEO')")
  await engine.advance('3s')
  await engine.query("update person set title = 'CTO'")
  await engine.advance('1h')
  const [run, ...others] = await engine.query<{ id: string; output: unknown }>(
    "select id, output from millrace.run where slug = 'noting'",
  )
  expect(others).toEqual([])
  expect(run?.output).toEqual(['CTO', 5_000])
  expect(await engine.account(run!.id)).toMatch(/in transaction\s+N,/)
})

test('a run outside of which nothing is heard fails at its deadline', async () => {
  const silent = pipeline('silent').step('report', ({ durable }) => durable.signal('a report'))
  const engine = await engineFor([silent])
  const outside = connectOutside({ database: engine.database, now: () => engine.now().getTime() })
  const { run } = await outside.ensureRun('silent', null, { silenceSeconds: 60 })
  await outside.close()
  await engine.advance('1h')
  const [ended] = await engine.query(
    'select state, extract(epoch from finished_at - created_at)::int as seconds from millrace.run where id = $1',
    [run!.id],
  )
  expect(ended).toEqual({ state: 'failed', seconds: 60 })
})

test('what is due and held back by a pause holds up nothing else', async () => {
  const mailing = pipeline('mailing', { input: z.int() }).batch(
    'send',
    { size: 10, within: '5s' },
    ({ items }) => items.map(() => 'sent'),
  )
  const engine = await engineFor([mailing])
  const run = await engine.start(mailing, 1)
  await engine.client.pausePipeline('mailing')
  await engine.advance('1h')
  await engine.client.resumePipeline('mailing')
  expect(await engine.result(run)).toBe('sent')
})

test('the time begins when the test says, also long before the server was started', async () => {
  const closing = pipeline('closing').step('book', ({ attempt }) => attempt)
  const leap = schedule('leap', { pipeline: closing, cron: '0 7 29 2 *' })
  const engine = await engineFor([closing], { triggers: [leap], now: new Date('2024-02-28T08:00:00Z') })
  const death = engine.crashAfter('book')
  await engine.advance('1d')
  expect(death.fired).toBe(true)
  expect(engine.now()).toEqual(new Date('2024-02-29T08:00:00Z'))
  const [firing] = await engine.client.schedules.firings('leap')
  expect(firing).toMatchObject({ slot: new Date('2024-02-29T07:00:00Z'), state: 'completed' })
  expect(await engine.result(firing!.runId!)).toBe(2)
})
