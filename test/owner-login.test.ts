// The login that owns a database at RDS, Neon or Supabase: no superuser, makes roles, and from PostgreSQL 16 on may give them on but not take them.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, openFolder, sdkAddress } from './commands.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { createEmptyDatabase, type EmptyDatabase } from './empty-database.ts'
import { createLogin } from './login.ts'

const owner = `owner_${randomBytes(6).toString('hex')}`
const secret = randomBytes(32).toString('base64')
let other: TestDatabase
let empty: EmptyDatabase
let project: Caller

beforeAll(async () => {
  // The roles of the cluster exist from here on, made by somebody else.
  other = await createTestDatabase()
  empty = await createEmptyDatabase()
  await empty.query(`create role ${owner} login createrole password 'x'`)
  const [{ number }] = (await empty.query<{ number: number }>(
    `select current_setting('server_version_num')::int as number`,
  )) as [{ number: number }]
  // What whoever makes a role gets.
  if (number >= 160_000)
    await empty.query(`grant millrace_admin to ${owner} with admin true, inherit false, set false`)
  const url = new URL(empty.url)
  await empty.query(`alter database "${url.pathname.slice(1)}" owner to ${owner}`)
  url.username = owner
  url.password = 'x'
  project = openFolder({ DATABASE_URL: url.href, MILLRACE_SERVER_SECRET: secret })
  project.write(
    'millrace.config.ts',
    `
import { defineConfig, pipeline } from ${JSON.stringify(sdkAddress)}
export default defineConfig({ pipelines: [pipeline('echo').step('say', ({ input }) => input)] })
`,
  )
})
afterAll(async () => {
  project.close()
  await empty.close()
  await other.query(`drop owned by ${owner}`)
  await other.query(`drop role ${owner}`)
  await other.close()
})

test('it migrates, and what it is told by commands is done with the rights of an admin', async () => {
  expect((await project.call('migrate', '--plan')).stdout).toContain(`grant millrace_admin to ${owner}`)
  expect(await project.call('migrate')).toMatchObject({ status: 0 })
  expect((await project.call('migrate', '--plan')).stdout).toContain('Nothing to do')
  expect(await project.call('user', 'invite', 'ada@example.org', '--role', 'admin')).toMatchObject({
    status: 0,
  })
  expect((await project.call('doctor')).stdout).toMatch(/^ok {4}login +The login may act as millrace_admin$/m)
})

test('a server is refused to a login that may not act as an admin, with what to grant', async () => {
  const operator = await createLogin(other, 'millrace_operator')
  try {
    const { status, stderr } = await project.call('start', '--port', '0', '--database', operator.url)
    expect(status).toBe(3)
    expect(stderr).toContain('may not act as millrace_admin')
    expect(stderr).toMatch(/grant millrace_admin to login_[0-9a-f]+/)
  } finally {
    await operator.close()
  }
})
