// What a graph from any language may say of the end of a step, as src/core/graph-outcomes.ts checks it for the SDK.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

const register = (slug: string, steps: unknown[]) =>
  database.query('select * from millrace.register_pipeline($1, $2)', [slug, JSON.stringify({ steps })])

const list = { name: 'list' }
const map = { name: 'each', kind: 'map', over: 'list', after: ['list'] }

test('all that may be said is taken', async () => {
  await register('taken', [
    { ...list, on_error: { fallback: [1] } },
    { ...map, on_error: 'skip', if_skipped: 'skip', concurrency: 100_000, fail_after: '99.999%' },
    { name: 'null', after: ['each'], on_error: { fallback: null }, if_skipped: 'run' },
  ])
  expect(
    await database.query(
      `select step, on_error, fallback, skips_with_needs, concurrency, fail_after_percent, is_listed
         from millrace.step_definition where slug = 'taken' and kind <> 'end' order by position`,
    ),
  ).toMatchObject([
    { step: 'list', on_error: 'fallback', fallback: [1], is_listed: false },
    {
      step: 'each',
      on_error: 'skip',
      skips_with_needs: true,
      concurrency: 100_000,
      fail_after_percent: 99.999,
    },
    { step: 'null', on_error: 'fallback', fallback: null, skips_with_needs: false },
  ])
})

test.each([
  ['an outcome that is none', [{ ...list, on_error: 'ignore' }]],
  ['an object without a fallback', [{ ...list, on_error: { value: 1 } }]],
  ['an outcome of null', [{ ...list, on_error: null }]],
  ['an if_skipped that is none', [list, { ...map, if_skipped: true }]],
  ['an if_skipped where nothing is needed', [{ ...list, if_skipped: 'skip' }]],
  ['a concurrency of a plain step', [{ ...list, concurrency: 1 }]],
  ['a fail_after of a plain step', [{ ...list, fail_after: 1 }]],
  ['a concurrency of nothing', [list, { ...map, concurrency: 0 }]],
  ['a concurrency in words', [list, { ...map, concurrency: 'three' }]],
  ['a concurrency of a half', [list, { ...map, concurrency: 1.5 }]],
  ['a share beyond all', [list, { ...map, fail_after: '101%' }]],
  ['a share without its sign', [list, { ...map, fail_after: '5' }]],
  ['a number below zero', [list, { ...map, fail_after: -1 }]],
  ['a fallback that a map goes over and that is no list', [{ ...list, on_error: { fallback: {} } }, map]],
])('%s is refused, with the step named', async (_, steps) => {
  await expect(register('refused', steps)).rejects.toMatchObject({
    code: 'MR001',
    message: expect.stringMatching(/'(list|each)'/),
  })
})
