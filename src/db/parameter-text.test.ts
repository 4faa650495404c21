// Values as text: PostgreSQL reads them as they were.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { poolCaller } from './call.ts'
import { listText, parameterText, withTextParameters } from './parameter-text.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

test('PostgreSQL reads a list from its text as it was: quotes, backslashes, braces, nulls, the word null, and nothing at all', async () => {
  const list = ['plain', 'a "quote"', String.raw`back\slash`, '{brace},', 'NULL', '', null, 'ä🙂\n']
  const [row] = await database.query(withTextParameters('select $1::text[] as list, $2::text[] as empty'), [
    parameterText(list),
    parameterText([]),
  ])
  expect(row).toEqual({ list, empty: [] })
})

test('numbers, booleans, dates and JSON texts arrive as their types', async () => {
  const at = new Date('2026-01-02T03:04:05.678Z')
  const [row] = await database.query(
    withTextParameters(
      'select $1::int[] as numbers, $2::boolean as yes, $3::timestamptz[] as times, $4::jsonb[] as values, $5::uuid as nothing',
    ),
    [[1, -2, null], true, [at], ['{"a": "\\"q\\""}', 'null'], null].map(parameterText),
  )
  expect(row).toEqual({
    numbers: [1, -2, null],
    yes: true,
    times: [at],
    values: [{ a: '"q"' }, null],
    nothing: null,
  })
})

test('what a list holds that only the driver can write is left to it', async () => {
  expect([listText([1, null, undefined, true, 'a "b\\']), listText([])]).toEqual([
    '{1,null,null,true,"a \\"b\\\\"}',
    '{}',
  ])
  expect([Buffer.from('a'), [1], new Date(), {}, 1n].map((element) => listText([element]))).toEqual(
    Array(5).fill(undefined),
  )
  const rows = await poolCaller(database.pool, { prepare: false, database: 'test' }).call<object>(
    { name: 'lists', text: 'select $1::bytea[] as bytes, $2::int[] as nested, $3::float8[] as numbers' },
    [
      [Buffer.from('a')],
      [
        [1, 2],
        [3, 4],
      ],
      [0.5, Number.NaN, Number.POSITIVE_INFINITY, 1e300],
    ],
  )
  expect(rows).toEqual([
    {
      bytes: [Buffer.from('a')],
      nested: [
        [1, 2],
        [3, 4],
      ],
      numbers: [0.5, Number.NaN, Number.POSITIVE_INFINITY, 1e300],
    },
  ])
})
