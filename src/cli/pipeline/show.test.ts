// millrace pipeline show: a pipeline that no code registered.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, openFolder } from '../../../test/commands.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'

let database: TestDatabase
let folder: Caller
beforeAll(async () => {
  database = await createTestDatabase()
  folder = openFolder({ DATABASE_URL: database.url })
})
afterAll(async () => {
  folder.close()
  await database.close()
})

test('a graph that was registered in SQL is shown, however little it says', async () => {
  await database.query('select millrace.register_pipeline($1, $2)', [
    'import',
    { steps: [{ name: 'fetch' }, { name: 'store', after: ['fetch'] }] },
  ])
  const { status, stdout, stderr } = await folder.call('pipeline', 'show', 'import')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toMatch(/^import, version 1\n\n {2}fetch\n {2}└─ store\n\n/)
  expect((await folder.call('pipeline', 'show', 'import', '--json')).status).toBe(0)
})
