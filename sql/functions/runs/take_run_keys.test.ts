// The order in which starts lock keys, where the database sorts texts as people do: that of the columns, as everybody else locks them.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEmptyDatabase, type EmptyDatabase } from '../../../test/empty-database.ts'
import {
  type Connection,
  chain,
  connect,
  newId,
  registerPipeline,
  startRun,
  startRuns,
  untilBlocked,
} from '../../../test/protocol.ts'
import { defineStartRule } from '../../../test/start-rules.ts'
import { migrate } from '../../../src/db/migrate.ts'

let database: EmptyDatabase
let one: Connection
let other: Connection
beforeAll(async () => {
  database = await createEmptyDatabase('en-US')
  await migrate({ connectionString: database.url })
  ;[one, other] = [await connect(database), await connect(database)]
  await registerPipeline(database, 'keyed', chain('only'), [['who']])
  await registerPipeline(database, 'ruled', chain('only'))
  await defineStartRule(database, 'ruled', 'few', {
    kind: 'throttle',
    key: [['who']],
    starts: 9,
    per_ms: 1_000,
  })
})
afterAll(async () => {
  await one.end()
  await other.end()
  await database.close()
})

test.each([
  ['the run key', 'keyed'],
  ['the key of a rule', 'ruled'],
])(
  'of several starts at once %s that is first for the columns is locked first, so that no two wait in a circle',
  async (_, slug) => {
    const [sorted] = await database.query(
      "select 'a' < 'B' as by_people, 'a' < 'B' collate \"C\" as by_columns",
    )
    expect(sorted).toEqual({ by_people: true, by_columns: false })
    await one.query('begin')
    await startRun(one, slug, { who: 'B' })
    const both = startRuns(
      other,
      ['a', 'B'].map((who) => ({ id: newId(), slug, input: { who } })),
    )
    await untilBlocked(database)
    // Whoever has locked the first one goes on: nobody has the second one yet.
    await one.query("set local lock_timeout = '500ms'")
    expect(await startRun(one, slug, { who: 'a' })).toMatchObject({ created: true })
    await one.query('commit')
    await both
  },
)
