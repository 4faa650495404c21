// The delay before a retry: the same in SQL and in src/core/backoff.ts, for whatever policy.
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Backoff, delayMs } from '../../../src/core/backoff.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { type Sql } from '../../../test/protocol.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await database.query('select millrace.register_pipeline(\'p\', \'{"steps": [{"name": "a"}]}\')')
})
afterAll(() => database.close())

interface Case {
  backoff: Backoff
  failures: number
  random: number
}

/** One call for all: the delays of steps that differ in their policy alone. */
async function delaysInSql(sql: Sql, cases: Case[]): Promise<number[]> {
  const rows = await sql.query<{ delay: number }>(
    `select millrace.retry_delay(jsonb_populate_record(d, g.policy), g.failures, g.random) as delay
       from unnest($1::jsonb[], $2::int[], $3::float8[]) with ordinality g(policy, failures, random, n)
       join millrace.step_definition d on d.step = 'a' order by g.n`,
    [
      cases.map(({ backoff }) =>
        JSON.stringify({
          backoff_initial_ms: backoff.initial_ms,
          backoff_factor: backoff.factor,
          backoff_max_ms: backoff.max_ms,
          backoff_jitter: backoff.jitter,
        }),
      ),
      cases.map(({ failures }) => failures),
      cases.map(({ random }) => random),
    ],
  )
  return rows.map(({ delay }) => delay)
}

const ms = fc.oneof(
  fc.constantFrom(0, 1, 30_000, 3_600_000, 2_073_600_000),
  fc.integer({ min: 0, max: 2_073_600_000 }),
)
const anyCase: fc.Arbitrary<Case> = fc
  .record({
    initial_ms: ms,
    extra_ms: ms,
    factor: fc.oneof(fc.constantFrom(1, 1.5, 2, 100), fc.double({ min: 1, max: 100, noNaN: true })),
    jitter: fc.constantFrom('full' as const, 'none' as const),
    failures: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 2_000_000_000 })),
    random: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ initial_ms, extra_ms, factor, jitter, failures, random }) => ({
    backoff: { initial_ms, factor, max_ms: Math.min(initial_ms + extra_ms, 2_073_600_000), jitter },
    failures,
    random,
  }))

test('JQ-6 E1 SQL and TypeScript compute the same delay for any policy and any number of failures', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyCase, { minLength: 200, maxLength: 200 }), async (cases) => {
      const expected = cases.map(({ backoff, failures, random }) => delayMs(backoff, failures, random))
      const found = await delaysInSql(database, cases)
      // The power function of the two differs in its last digit, which may tip a rounding.
      for (const [n, delay] of found.entries())
        expect(Math.abs(delay - (expected[n] ?? Number.NaN))).toBeLessThanOrEqual(2)
    }),
    { numRuns: 25, seed: 6 },
  )
})

test('JQ-6 the means are 30, 60 and 120 seconds, and full jitter draws from nothing to twice that', async () => {
  const backoff: Backoff = { initial_ms: 30_000, factor: 2, max_ms: 3_600_000, jitter: 'full' }
  const of = (random: number) =>
    delaysInSql(
      database,
      [1, 2, 3].map((failures) => ({ backoff, failures, random })),
    )
  expect(await of(0.5)).toEqual([30_000, 60_000, 120_000])
  expect(await of(0)).toEqual([0, 0, 0])
  expect(await of(1)).toEqual([60_000, 120_000, 240_000])
})
