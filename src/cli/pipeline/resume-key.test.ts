// millrace pipeline resume-key: what a paused key shows, what a start of it is told, and how it goes on.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { width } from '../../core/text-width.ts'
import { type Caller, openFolder } from '../../../test/commands.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { claimOne, fail, registerWorker, startRun } from '../../../test/protocol.ts'

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

test('PP-D13 a paused key is listed, its starts are refused with 4 and the way to go on, and resume-key resumes it', async () => {
  await database.query('select * from millrace.register_pipeline($1, $2)', [
    'watch',
    JSON.stringify({
      steps: [{ name: 'look', after: [], max_attempts: 1 }],
      key: [['state']],
      pause_after: 1,
    }),
  ])
  const worker = await registerWorker(database)
  await startRun(database, 'watch', { state: 'NY' })
  const task = await claimOne(database, worker)
  await fail(database, worker, [{ task, error: { code: 'E', message: 'it is away', retryable: true } }])

  const refused = await folder.call('run', 'start', 'watch', '{"state": "NY"}')
  expect(refused).toMatchObject({ status: 4, stdout: '' })
  expect(refused.stderr).toMatch(
    /^Error: The start is refused: The key 'NY' of pipeline 'watch' is paused since .+\. Resume it with: npx millrace pipeline resume-key watch 'NY'\n$/,
  )
  const { stdout } = await folder.call('pipeline', 'show', 'watch')
  expect(stdout).toContain('Starts of these keys are refused: their runs failed in a row.')
  expect(stdout).toMatch(new RegExp(`^ *NY +1 .* ${task.run_id}$`, 'm'))
  expect(stdout).toContain('npx millrace pipeline resume-key watch KEY')
  for (const line of stdout.split('\n')) expect(width(line)).toBeLessThanOrEqual(80)
  expect(JSON.parse((await folder.call('pipeline', 'show', 'watch', '--json')).stdout)).toMatchObject({
    paused_keys: [{ key: 'NY', failures: 1, last_run: task.run_id }],
  })
  expect((await folder.call('run', 'account', task.run_id)).stdout).toContain(
    'millrace paused the run key, after failures in a row',
  )

  expect((await folder.call('pipeline', 'resume-key', 'watch', 'NY')).stdout).toBe(
    'The key NY of watch goes on.\n',
  )
  expect((await folder.call('pipeline', 'resume-key', 'watch', 'NY')).stdout).toBe(
    'The key NY of watch was not paused.\n',
  )
  expect((await folder.call('run', 'start', 'watch', '{"state": "NY"}')).status).toBe(0)
  expect(await folder.call('pipeline', 'resume-key', 'nobody', 'NY')).toMatchObject({ status: 4 })
})
