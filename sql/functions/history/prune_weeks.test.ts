// Retention where nobody has said clearly how long: nothing is dropped because of it, and pruning goes on with the rest.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { workerOf } from '../../../test/pipeline-worker.ts'
import { chain, newId, startRun, workOff } from '../../../test/protocol.ts'

let database: TestDatabase
const monday = Date.parse('2031-06-02T00:00:00Z')
beforeAll(async () => {
  database = await createTestDatabase()
  await database.clock.freeze(new Date(monday))
  await database.query('select millrace.create_partitions()')
  const worker = await workerOf(database, 'kept', chain('a'))
  const { run_id } = await startRun(database, 'kept', null, { id: newId(monday) })
  await workOff(database, worker)
  await database.clock.advance('200 days')
  await database.query('select millrace.create_partitions()')
  expect(await runs()).toEqual([run_id])
})
afterAll(() => database.close())

const runs = async (): Promise<string[]> =>
  (await database.query<{ id: string }>('select id from millrace.run')).map(({ id }) => id)

const prune = async (): Promise<void> => {
  for (;;) {
    const [turn] = await database.query<{ more: boolean }>('select more from millrace.prune_history()')
    if (turn?.more !== true) return
  }
}

/** As an admin may leave it; null takes the row away. */
const retention = (value: string | null) =>
  database.query(
    value === null
      ? "delete from millrace.setting where name = 'retention_days'"
      : `insert into millrace.setting (name, value) values ('retention_days', '${value}')
             on conflict (name) do update set value = excluded.value`,
  )

test.each([null, 'null', '0', '-1', '90.5', '"often"', '[30]', '1e30', '36501', '"-30"'])(
  'where retention_days is %s, no history is dropped, and nothing fails',
  async (value) => {
    await retention(value)
    await prune()
    expect(await runs()).toHaveLength(1)
  },
)

test.each(['201', '36500', '300.0', '"250"'])('as many days as %s are kept', async (value) => {
  await retention(value)
  await prune()
  expect(await runs()).toHaveLength(1)
})

test('a number of days that is clear drops what is older', async () => {
  await retention('190')
  await prune()
  expect(await runs()).toEqual([])
})
