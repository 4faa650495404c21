// millrace pipeline split: what it is told, what pipeline show tells of it, and how it ends.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { width } from '../../core/text-width.ts'
import { type Caller, openFolder } from '../../../test/commands.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { chain, registerPipeline } from '../../../test/protocol.ts'

let database: TestDatabase
let folder: Caller
beforeAll(async () => {
  database = await createTestDatabase()
  folder = openFolder({ DATABASE_URL: database.url })
  await registerPipeline(database, 'offer', chain('a'))
  await registerPipeline(database, 'offer', chain('a', 'b'))
})
afterAll(async () => {
  folder.close()
  await database.close()
})

test('starts by name are split by weight, show tells the outcomes by version, and activate ends it', async () => {
  expect(await folder.call('pipeline', 'split', 'offer', '1=60', '2=40', '--key', 'user.id')).toEqual({
    status: 0,
    stderr: '',
    stdout:
      'Starts of offer that name no version are split by user.id.\nSee how they go with: npx millrace pipeline show offer\n',
  })
  for (let n = 0; n < 12; n++) await folder.call('run', 'start', 'offer', `{"user": {"id": ${n}}}`)
  const { stdout } = await folder.call('pipeline', 'show', 'offer')
  expect(stdout).toMatch(/^Starts that name no version are split by user\.id, since [^]* UTC:$/m)
  expect(stdout).toMatch(/^ +1 +60 +60\.0 % +\d+ +\d+ +0 +0 +0$/m)
  expect(stdout).toMatch(/^ +2 +40 +40\.0 % +\d+ +\d+ +0 +0 +0$/m)
  for (const line of stdout.split('\n')) expect(width(line)).toBeLessThanOrEqual(80)
  const shown = JSON.parse((await folder.call('pipeline', 'show', 'offer', '--json')).stdout) as {
    outcomes: { runs: number }[]
  }
  expect(shown).toMatchObject({ split_path: ['user', 'id'], outcomes: [{ version: 1 }, { version: 2 }] })
  expect(shown.outcomes.reduce((sum, { runs }) => sum + runs, 0)).toBe(12)

  await folder.call('pipeline', 'activate', 'offer', '2')
  expect((await folder.call('pipeline', 'show', 'offer')).stdout).not.toContain('are split by')
})

test('a share that is none is refused with 2, a version that is not there with 4', async () => {
  expect((await folder.call('pipeline', 'split', 'offer', '1:60')).stderr).toContain(
    'It takes version=weight, as in 2=10.',
  )
  expect((await folder.call('pipeline', 'split', 'offer', '1:60')).status).toBe(2)
  expect(await folder.call('pipeline', 'split', 'offer', '1=1', '9=1')).toMatchObject({
    status: 4,
    stderr: expect.stringContaining("There is no version 9 of a pipeline 'offer'."),
  })
})
