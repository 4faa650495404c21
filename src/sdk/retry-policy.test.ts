// What authors say of failures: policies by error, when to try again, allowances, and pausing; through a worker and the client.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { until } from '../../test/deadline.ts'
import { openOn } from '../../test/millrace.ts'
import { RetryAfter } from '../core/retry-after.ts'
import { pipeline } from './pipeline.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

class RateLimited extends Error {}
class Throttled extends RateLimited {}
class NotFound extends Error {}

interface FirstAttempt {
  readonly error: { readonly code: string; readonly classes?: string[] }
  readonly delay: number | null
}

async function firstAttempt(run: string): Promise<FirstAttempt> {
  const read = async () => {
    const { rows } = await database.pool.query<FirstAttempt>(
      `select error, round(extract(epoch from retry_at - finished_at))::int as delay from millrace.attempt
        where run_id = $1 and attempt = 1 and outcome = 'failed'`,
      [run],
    )
    return rows[0]
  }
  await until('it has failed', async () => (await read()) !== undefined)
  return (await read())!
}

test('JQ-20 a policy for a class counts for what extends it, and one for a timeout or code for those', async () => {
  const opened = openOn(database)
  const errors: Record<string, () => Error> = {
    throttled: () => new Throttled('slower'),
    missing: () => new NotFound('nowhere'),
    coded: () => Object.assign(new Error('reset'), { code: 'ECONNRESET' }),
    other: () => new Error('what?'),
  }
  const failing = pipeline('failing', {
    input: z.object({ as: z.string() }),
    retry: {
      jitter: 'none',
      initial: '3s',
      when: [
        { error: RateLimited, delay: '1m' },
        { error: NotFound, attempts: 1 },
        { error: 'ECONN*', initial: '9s' },
        { error: 'timeout', delay: '2m' },
      ],
    },
    timeout: '50ms',
  }).step('only', async ({ input }) => {
    const made = errors[input.as]
    if (made !== undefined) throw made()
    await new Promise(() => {})
  })
  await opened.worker({ pipelines: [failing] })
  const client = opened.client()
  const delays: Record<string, number | null> = {}
  for (const as of [...Object.keys(errors), 'slow']) {
    const { run } = await client.start(failing, { as })
    const { delay } = await firstAttempt(run!.id)
    delays[as] = delay
  }
  expect(delays).toEqual({ throttled: 60, missing: null, coded: 9, other: 3, slow: 120 })
  await opened.close()
})

test('RetryAfter is tried again when it says, by the clock of the database', async () => {
  const opened = openOn(database)
  await database.clock.freeze()
  const at = new Date((await database.clock.now()).getTime() + 5 * 60_000)
  const later = pipeline('later', { input: z.boolean() }).step('only', ({ input, attempt }) => {
    if (attempt === 1) throw input ? new RetryAfter(at) : new RetryAfter('90s', 'not yet', { code: 'busy' })
    return attempt
  })
  await opened.worker({ pipelines: [later] })
  const client = opened.client()
  const byTime = await client.start(later, true)
  const byDuration = await client.start(later, false)
  expect(await firstAttempt(byTime.run!.id)).toMatchObject({ delay: 300, error: { code: 'retry_after' } })
  expect(await firstAttempt(byDuration.run!.id)).toMatchObject({ delay: 90, error: { code: 'busy' } })
  await database.clock.advance(300_000)
  expect(await client.run<typeof later>(byTime.run!).result()).toBe(2)
  expect(() => new RetryAfter(new Date(Number.NaN))).toThrow('no time')
  await opened.close()
})

test('PP-D13 a start of a paused key is told why, and goes on once the key is resumed', async () => {
  const opened = openOn(database)
  let broken = true
  const keyed = pipeline('keyed', {
    input: z.object({ state: z.string() }),
    key: 'state',
    retry: { attempts: 1 },
    pauseAfter: 1,
  }).step('only', () => {
    if (broken) throw new Error('the site is away')
    return 'done'
  })
  await opened.worker({ pipelines: [keyed] })
  const client = opened.client()
  const { run } = await client.start(keyed, { state: 'NY' })
  await expect(client.run(run!).result()).rejects.toMatchObject({ code: 'run_failed' })
  const refused = await client.start(keyed, { state: 'NY' })
  expect(refused).toMatchObject({ created: false, reason: 'paused', run: null })
  expect(refused).toHaveProperty(
    'why',
    expect.stringMatching(/^The key 'NY' of pipeline 'keyed' is paused since .*resume-key keyed 'NY'$/),
  )
  expect(await client.startMany(keyed, [{ state: 'NY' }, { state: 'CA' }])).toMatchObject([
    { reason: 'paused', why: expect.stringContaining("'NY'") },
    { created: true },
  ])
  broken = false
  const paused = await client.pausedKeys('keyed')
  expect(paused.find(({ key }) => key === 'NY')).toMatchObject({
    pipeline: 'keyed',
    failures: 1,
    lastRun: run!.id,
  })
  // The dead letter stayed in place: mended and redriven it completes, and the pause is still somebody's to lift.
  expect(await client.run(run!).redrive()).toEqual({ redriven: true, run: { id: run!.id } })
  expect(await client.run(run!).result()).toBe('done')
  expect((await client.pausedKeys('keyed')).find(({ key }) => key === 'NY')).toMatchObject({ failures: 0 })
  expect(await client.start(keyed, { state: 'NY' })).toMatchObject({ created: false, reason: 'paused' })
  expect(await client.resumeKey('keyed', 'NY')).toBe(true)
  const again = await client.start(keyed, { state: 'NY' })
  expect(again.created).toBe(true)
  expect(await client.run(again.run!).result()).toBe('done')
  await expect(client.resumeKey('nobody', 'NY')).rejects.toMatchObject({ code: 'pipeline_unknown' })
  await opened.close()
})

test('what a failure leaves carries its fingerprint, whoever gave it up', async () => {
  const opened = openOn(database)
  const client = opened.client()
  const strict = pipeline('strict', {
    input: z.number(),
    retryAllowance: { share: 0, least: 1, per: '1d', usedUp: 'fail' },
    retry: { initial: '1h' },
  }).step('only', ({ input }) => {
    throw new Error(`no ${input}`)
  })
  await opened.worker({ pipelines: [strict] })
  await client.startMany(strict, [1, 2, 3])
  await until('two are given up', async () => (await client.failures({ pipeline: 'strict' }))[0]?.runs === 2)
  expect(await client.failures({ pipeline: 'strict' })).toMatchObject([
    { runs: 2, step: 'only', code: 'Error' },
  ])
  await opened.close()
})

test.for([
  ['retry', { retry: { maxAttempts: 10 } }, 'step_option_invalid'],
  ['retry.when', { retry: { when: [{ error: 'a', attempts: 0 }] } }, 'step_option_invalid'],
  ['retry.when', { retry: { when: [{ error: 'a', delay: '1s', factor: 2 }] } }, 'step_option_invalid'],
  ['retry.when', { retry: { when: [{ error: 'a', tries: 2 }] } }, 'step_option_invalid'],
  ['retryAllowance', { retryAllowance: { share: 2, most: 3 } }, 'pipeline_option_invalid'],
  ['retryAllowance', { retryAllowance: { share: -1 } }, 'pipeline_option_invalid'],
  ['pauseAfter', { pauseAfter: 0 }, 'pipeline_option_invalid'],
  ['ageing', { ageing: '31d' }, 'pipeline_option_invalid'],
] as const)('%s of %j is refused where it is written', ([option, options, code]) => {
  const written = () =>
    pipeline('refused', options as never).step('only', () => 1) as unknown as { graph: object }
  expect(() => written().graph).toThrow(
    expect.objectContaining({ code, fields: expect.objectContaining({ option }) }),
  )
})
