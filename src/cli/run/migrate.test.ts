// millrace run migrate: what is moved, what stays, and how it ends.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, openFolder } from '../../../test/commands.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { chain, registerPipeline, startRun } from '../../../test/protocol.ts'

let database: TestDatabase
let folder: Caller
beforeAll(async () => {
  database = await createTestDatabase()
  folder = openFolder({ DATABASE_URL: database.url })
  await registerPipeline(database, 'moving', chain('a'))
  await registerPipeline(database, 'moving', chain('a', 'b'))
  await registerPipeline(database, 'moving', chain('z'))
})
afterAll(async () => {
  folder.close()
  await database.close()
})

test('runs are moved, or would be; the account tells it, and those that stay say why and end with 4', async () => {
  const { run_id } = await startRun(database, 'moving', { state: 'TX' }, { version: 1 })
  const migrate = (...args: string[]) => folder.call('run', 'migrate', 'moving', '--from', '1', ...args)
  expect(await migrate('--to', '2', '--dry-run')).toMatchObject({
    status: 0,
    stdout: '1 run would be moved.\n',
  })
  expect((await migrate('--to', '2', '--input', '{"state": "OH"}')).stdout).toBe('0 runs were moved.\n')
  const stays = await migrate()
  expect(stays.status).toBe(4)
  expect(stays.stdout).toMatch(new RegExp(`^0 runs were moved. 1 run stays.\n.*\n${run_id}  'a' is gone\n$`))
  const moved = await migrate('--to', '2', '--run', run_id, '--json')
  expect(JSON.parse(moved.stdout)).toEqual({ moved: [run_id], left: [], more: false })
  const account = await folder.call('run', 'account', run_id)
  expect(account.stdout).toContain('postgres moved the run from version 1 to version 2')
  expect(account.stdout).toContain('moving, version 2: pending')
})

test('of many runs that stay the first hundred say why, and programs get all', async () => {
  await registerPipeline(database, 'staying', chain('a'))
  await registerPipeline(database, 'staying', chain('z'))
  await database.query(
    `select r.* from generate_series(1, 102) n, millrace.start_run('staying', to_jsonb(n), version => 1) r`,
  )
  const migrate = (...args: string[]) => folder.call('run', 'migrate', 'staying', '--from', '1', ...args)
  const { status, stdout } = await migrate()
  expect(status).toBe(4)
  expect(stdout.split("'a' is gone")).toHaveLength(101)
  expect(stdout).toMatch(/\n… and 2 more runs; --json lists all\.\n$/)
  expect(JSON.parse((await migrate('--json')).stdout).left).toHaveLength(102)
})

test('a version that is left out or does not exist is refused', async () => {
  expect((await folder.call('run', 'migrate', 'moving')).status).toBe(2)
  expect(await folder.call('run', 'migrate', 'moving', '--from', '7')).toMatchObject({
    status: 4,
    stderr: expect.stringContaining("There is no version 7 of a pipeline 'moving'."),
  })
})
