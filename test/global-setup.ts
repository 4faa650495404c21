// The server that all tests share, and the migrated database from which each test file copies its own.
import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { migrate } from '../src/db/migrate.ts'
import { installTestClock } from './test-clock.ts'
import { startTestServer, type TestServer } from './test-server.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** A superuser's address of the test server; its database may be used to create others. */
    testServerUrl: string
    /** The database that is copied; nobody can connect to it. */
    testTemplate: string
    /** Why the template could not be migrated; empty when it was. */
    testTemplateFault: string
  }
}

/** Points at a server to test against instead of the embedded one; its superuser is needed. */
const SERVER_VARIABLE = 'MILLRACE_TEST_DATABASE_URL'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await findServer()
  const template = `millrace_test_${randomBytes(4).toString('hex')}`
  const fault = await createTemplate(server.url, template)
  project.provide('testTemplateFault', fault)
  project.provide('testServerUrl', server.url)
  project.provide('testTemplate', template)
  return async () => {
    await dropDatabases(server.url, template)
    await server.stop()
  }
}

async function findServer(): Promise<TestServer> {
  const given = process.env[SERVER_VARIABLE]
  return given ? { url: given, stop: async () => {} } : startTestServer()
}

/** A migration that fails is told by the tests that need a database; the others still run. */
async function createTemplate(serverUrl: string, template: string): Promise<string> {
  try {
    await runAll(serverUrl, [`create database ${template}`])
    const templateUrl = new URL(serverUrl)
    templateUrl.pathname = template
    await migrate({ connectionString: templateUrl.href })
    await installTestClock(templateUrl.href)
    // A copy is refused while somebody is connected to the original, so nobody can be.
    await runAll(serverUrl, [`alter database ${template} with is_template true allow_connections false`])
    return ''
  } catch (error) {
    return inspect(error)
  }
}

/** Also those whose test file was killed before it could close them. */
async function dropDatabases(serverUrl: string, template: string): Promise<void> {
  const client = new pg.Client(serverUrl)
  await client.connect()
  const { rows } = await client.query<{ name: string }>(
    'select datname as name from pg_database where datname = $1 or starts_with(datname, $2)',
    [template, `${template}_`],
  )
  await client.end()
  const statements = rows.flatMap(({ name }) => [
    `alter database ${name} with is_template false`,
    `drop database ${name} with (force)`,
  ])
  await runAll(serverUrl, statements)
}

async function runAll(url: string, statements: string[]): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}
