// The lines that dev prints as runs end.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { type Caller, poolCaller } from '../db/call.ts'
import { Ends } from './dev-runs.ts'

let database: TestDatabase
let caller: Caller
beforeAll(async () => {
  database = await createTestDatabase()
  caller = poolCaller(database.pool, { prepare: false, database: 'the test database' })
  const graph = { key: [['state']], steps: [{ name: 'only', after: [] }] }
  await database.query("select millrace.register_pipeline('sweep', $1)", [JSON.stringify(graph)])
})
afterAll(() => database.close())

async function start(state: string): Promise<string> {
  const rows = await database.query<{ run_id: string }>(
    "select run_id from millrace.start_run('sweep', $1)",
    [{ state }],
  )
  return rows[0]?.run_id ?? ''
}

test('each run is told once, when it ends, however long it took, and not those before', async () => {
  const before = await start('AK')
  await database.query('select millrace.cancel_run($1)', [before])
  await database.clock.advance(1)
  const lines: string[] = []
  const ends = new Ends(caller, await database.clock.now(), (line) => lines.push(line))
  const run = await start('TX')
  await ends.look()
  expect(lines).toEqual([])
  await database.clock.advance('2 hours')
  await ends.look()
  await database.query('select millrace.complete_run($1, $2)', [run, { message: 'no\nroute' }])
  await ends.look()
  await ends.look()
  expect(lines).toEqual([
    expect.stringMatching(new RegExp(`^${run}  sweep TX failed in 2 h(: | \\d+ s: )no route$`)),
  ])
})

test('of many ends at once the first twenty are told, and how many more there were', async () => {
  const lines: string[] = []
  const ends = new Ends(caller, await database.clock.now(), (line) => lines.push(line))
  for (let item = 0; item < 25; item++)
    await database.query('select millrace.cancel_run($1)', [await start(`S${item}`)])
  await ends.look()
  expect(lines).toHaveLength(21)
  expect(lines.at(-1)).toBe('… and 5 more runs ended')
})

test('a look that fails is made up for by the next', async () => {
  const lines: string[] = []
  let isAway = true
  const flaky: Caller = {
    call: (statement, values) =>
      isAway ? Promise.reject(new Error('gone')) : caller.call(statement, values),
  }
  const ends = new Ends(flaky, await database.clock.now(), (line) => lines.push(line))
  await database.query('select millrace.cancel_run($1)', [await start('ZZ')])
  await ends.look()
  isAway = false
  await ends.look()
  expect(lines).toHaveLength(1)
})
