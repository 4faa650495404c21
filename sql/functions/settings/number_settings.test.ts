// The numbers among the settings: what is clear counts, and what is not is told, with the number that counts in its place.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

const initial = {
  retention_days: null,
  cache_entries_max: 100_000,
  cache_bytes_max: 268_435_456,
  artifact_bytes_max: 536_870_912,
  run_artifact_bytes_max: 2_147_483_648,
  run_artifacts_max: 1_000,
  key_days_max: 90,
  key_days_warning: 90,
}

interface Read extends Record<string, unknown> {
  name: string
  number: number | null
  is_clear: boolean
}

const read = () =>
  database.query<Read>('select name, number::float8, is_clear from millrace.number_settings()')

/** All of them at once; null takes their rows away. */
const write = (value: string | null) =>
  value === null
    ? database.query('delete from millrace.setting where name = any ($1)', [Object.keys(initial)])
    : database.query(
        `insert into millrace.setting (name, value) select name, $2::jsonb from unnest($1::text[]) name
             on conflict (name) do update set value = excluded.value`,
        [Object.keys(initial), value],
      )

test('an installation begins with numbers that are all clear', async () => {
  const rows = await read()
  expect(rows.filter(({ is_clear }) => !is_clear)).toEqual([])
  expect(Object.fromEntries(rows.map(({ name, number }) => [name, number]))).toEqual({
    ...initial,
    retention_days: 30,
  })
})

test.each(['7', '7.0', '"7"'])('as %s each of them is 7', async (value) => {
  await write(value)
  for (const row of await read()) expect(row).toMatchObject({ number: 7, is_clear: true })
})

test.each(['-1', '7.5', '1e40', '"soon"', '""', 'true', '[7]', '{"days": 7}'])(
  'as %s none of them is clear, and the number counts with which an installation begins',
  async (value) => {
    await write(value)
    for (const { name, number, is_clear } of await read())
      expect([name, number, is_clear]).toEqual([name, initial[name as keyof typeof initial], false])
    const [told] = await database.query(
      `select millrace.key_life(null) = make_interval(secs => 90 * 86400) as lives, millrace.artifact_limit('run_artifacts_max')::float8 as most`,
    )
    expect(told).toEqual({ lives: true, most: 1_000 })
    await database.query('select from millrace.prune_cache(100)')
    await database.query('select from millrace.list_key_warnings()')
  },
)

test.each([null, 'null'])('where there is %s, that is clear of all but the retention', async (value) => {
  await write(value)
  for (const { name, number, is_clear } of await read())
    expect([name, number, is_clear]).toEqual([
      name,
      initial[name as keyof typeof initial],
      name !== 'retention_days',
    ])
})
