// Values as text: PostgreSQL reads them as they were.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { parameterText, withTextParameters } from './parameter-text.ts'

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
