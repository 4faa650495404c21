// The doctor on a real database, and on what is missing.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, echoConfig, openFolder } from '../../../test/commands.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { createEmptyDatabase } from '../../../test/empty-database.ts'

let database: TestDatabase
let project: Caller
beforeAll(async () => {
  database = await createTestDatabase()
  project = openFolder({ DATABASE_URL: database.url })
  project.write('millrace.config.ts', echoConfig)
})
afterAll(async () => {
  project.close()
  await database.close()
})

test('it finds a healthy database without a worker, and warns of the task that nobody serves', async () => {
  await project.call('run', 'start', 'echo', '1')
  const { status, stdout } = await project.call('doctor')
  expect(status).toBe(0)
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  for (const check of [
    'node',
    'configuration',
    'database',
    'server',
    'clock',
    'pooler',
    'connections',
    'schema',
    'roles',
    'login',
    'indexes',
    'settings',
  ]) {
    expect(stdout).toMatch(new RegExp(`^ok {4}${check} `, 'm'))
  }
  expect(stdout).toMatch(
    /^warn {2}workers {8}No worker is alive\.\n {21}Start one with: npx millrace worker$/m,
  )
  expect(stdout).toContain('Nobody serves 1 task of echo version 1 on queue default\n')
})

test('numbers that nobody gave clearly are a warning, with what counts in their place', async () => {
  await database.query("delete from millrace.setting where name = 'retention_days'")
  await database.query("update millrace.setting set value = '-1' where name = 'cache_entries_max'")
  const { status, stdout } = await project.call('doctor', '--json')
  await database.query(
    `insert into millrace.setting (name, value) values ('retention_days', '30'), ('cache_entries_max', '100000')
         on conflict (name) do update set value = excluded.value`,
  )
  expect(status).toBe(0)
  const { findings } = JSON.parse(stdout) as { findings: { check: string }[] }
  expect(findings.find(({ check }) => check === 'settings')).toMatchObject({
    level: 'warn',
    message: expect.stringMatching(
      /^retention_days .* is missing, .* cache_entries_max .*: 100,000 counts\.$/,
    ),
  })
})

test('RR-13 pools that open more connections than the server allows are a failure, with what to do', async () => {
  const greedy = openFolder({ DATABASE_URL: database.url })
  greedy.write(
    'millrace.config.ts',
    echoConfig.replace('{ pipelines', '{ worker: { connectionsMax: 900 }, pipelines'),
  )
  const { status, stdout } = await greedy.call('doctor', '--json')
  greedy.close()
  expect(status).toBe(1)
  const { findings } = JSON.parse(stdout) as { findings: { check: string }[] }
  expect(findings.find(({ check }) => check === 'connections')).toMatchObject({
    level: 'fail',
    message: expect.stringContaining('may open 910 connections'),
    remedy: expect.stringContaining('worker.connectionsMax'),
  })
})

test('a database without the schema is a failure that names the next command', async () => {
  const empty = await createEmptyDatabase()
  const { status, stdout } = await project.call('doctor', '--database', empty.url)
  await empty.close()
  expect(status).toBe(1)
  expect(stdout).toMatch(/^FAIL {2}schema {9}Database/m)
  expect(stdout).toContain('Run `npx millrace migrate`.')
})

test('PP-C9 a count that fails is a failure of its check, not a count of none, and the other checks are made all the same', async () => {
  const damaged = await createTestDatabase()
  await damaged.query('alter table millrace.worker rename column slots to lanes')
  const { status, stdout } = await project.call('doctor', '--database', damaged.url, '--json')
  await damaged.close()
  expect(status).toBe(1)
  const { findings } = JSON.parse(stdout) as { findings: { check: string; level: string; message: string }[] }
  const failed = findings.filter(({ level }) => level === 'fail')
  expect(failed.map(({ check }) => check)).toEqual(['connections', 'workers'])
  for (const { message } of failed) expect(message).toContain('slots')
  expect(findings.find(({ check }) => check === 'tasks')).toMatchObject({ level: 'ok' })
})

test('without configuration and database it says how to get each', async () => {
  const nowhere = openFolder()
  const { status, stdout } = await nowhere.call('doctor')
  nowhere.close()
  expect(status).toBe(1)
  expect(stdout).toContain('Write one with: npx millrace init')
  expect(stdout).toContain('FAIL  database')
})

test('a configuration that cannot be loaded is a failure, and the rest is still looked at', async () => {
  const broken = openFolder({ DATABASE_URL: database.url })
  broken.write('millrace.config.ts', "import './gone.ts'\nexport default {}\n")
  const { status, stdout } = await broken.call('doctor', '--database', database.url)
  broken.close()
  expect(status).toBe(1)
  expect(stdout).toMatch(/^FAIL {2}configuration {2}millrace\.config\.ts cannot be loaded/m)
  expect(stdout).toMatch(/^ok {4}schema /m)
})
