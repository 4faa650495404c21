// What a watch takes that is defined in SQL, where no compiler looks.
import { expect, test } from 'vitest'
import { listWatches, planWatches } from '../../../src/db/watches.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { chain, registerPipeline } from '../../../test/protocol.ts'
import { callerOf, watchTable } from '../../../test/watched.ts'

const { database } = await openMeeting()

test.each([
  [{ by_key: 'key' }, 'by_key and record_gaps are true or false'],
  [{ record_gaps: 1 }, 'by_key and record_gaps are true or false'],
  [{ tenant_column: ['account'] }, 'tenant_column is a column'],
  [{ colums: ['title'] }, "it takes no 'colums'"],
])('a watch with a setting that could not be held to is refused by name: %j', async (settings, reason) => {
  await registerPipeline(database, 'defined-here', chain('only'))
  const given = { pipeline: 'defined-here', schema: 'public', table: 'here', operations: ['insert'] }
  await expect(
    database.query("select millrace.define_watch('here', $1)", [JSON.stringify({ ...given, ...settings })]),
  ).rejects.toMatchObject({ code: 'MR140', message: `Watch 'here' is refused: ${reason}.` })
})

test('one that was taken with a setting of another type keeps no other from being listed and planned', async () => {
  await database.query('create table legacy (id int primary key)')
  await watchTable(database, 'legacies', { table: 'legacy' })
  await database.query(`update millrace.change_watch set settings = settings || '{"record_gaps": "yes"}'`)
  expect(await listWatches(callerOf(database), null)).toMatchObject([{ name: 'legacies' }])
  expect(await planWatches(callerOf(database), null)).toMatchObject([{ name: 'legacies' }])
})
