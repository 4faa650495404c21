// Lists of runs and pipelines: filters, order, bounds, and the index that they use.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { type Caller, poolCaller } from './call.ts'
import { listRuns, readRunValues } from './run-list.ts'
import { readProgress } from './streams.ts'

let database: TestDatabase
let caller: Caller
beforeAll(async () => {
  database = await createTestDatabase()
  caller = poolCaller(database.pool, { prepare: false, database: 'the test database' })
  for (const [slug, names] of [
    ['sweep', ['a']],
    ['sweep', ['a', 'b']],
    ['other', ['a']],
  ] as const) {
    const steps = names.map((name, index) => ({ name, after: names.slice(0, index) }))
    await database.query('select millrace.register_pipeline($1, $2)', [
      slug,
      JSON.stringify({ key: [], steps }),
    ])
  }
})
afterAll(() => database.close())

async function start(slug: string, version: number, more: { tenant?: string } = {}): Promise<string> {
  await database.clock.advance(1)
  const rows = await database.query<{ run_id: string }>(
    'select run_id from millrace.start_run($1, $2, version => $3, tenant => $4)',
    [slug, { version }, version, more.tenant ?? null],
  )
  return rows[0]?.run_id ?? ''
}

test('the newest come first, over all versions of a pipeline, and no more than asked for', async () => {
  const first = await start('sweep', 2)
  const second = await start('sweep', 1)
  const other = await start('other', 1, { tenant: 'acme' })
  const third = await start('sweep', 2)
  const ids = async (filter: object, limit = 10): Promise<string[]> =>
    (await listRuns(caller, { ...filter, limit })).map(({ id }) => id)
  expect(await ids({})).toEqual([third, other, second, first])
  expect(await ids({}, 2)).toEqual([third, other])
  expect(await ids({ pipeline: 'sweep' })).toEqual([third, second, first])
  expect(await ids({ pipeline: 'sweep' }, 2)).toEqual([third, second])
  expect(await ids({ tenant: 'acme' })).toEqual([other])
  await database.query('select millrace.cancel_run($1)', [second])
  expect(await ids({ states: ['cancelled', 'failed'] })).toEqual([second])
  expect(await ids({ pipeline: 'nobody' })).toEqual([])
})

test('progress counts steps, and the items of a map once they are known', async () => {
  const run = await start('sweep', 2)
  expect(await readProgress(caller, run)).toMatchObject({ state: 'pending', done: 0, known: 2 })
  await database.query("select * from millrace.start_step($1, 'a')", [run])
  await database.query("select millrace.complete_step($1, 'a', 1, '1')", [run])
  expect(await readProgress(caller, run)).toMatchObject({ state: 'running', done: 1, known: 2 })
  expect(await readRunValues(caller, run)).toEqual({ input: { version: 2 }, output: null, headers: null })
})
