// A database for one test file: a copy of the migrated template, with a clock that tests can move.
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'
import { type TestClock, testClock } from './test-clock.ts'

export interface TestDatabase {
  /** A superuser's address. */
  url: string
  pool: pg.Pool
  query<Row extends pg.QueryResultRow = Record<string, unknown>>(
    text: string,
    values?: unknown[],
  ): Promise<Row[]>
  clock: TestClock
  /** Ends the pool and drops the database, whoever is still connected. */
  close(): Promise<void>
}

/** One for each test file, in beforeAll; closed in afterAll. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const fault = inject('testTemplateFault')
  if (fault !== '') throw new Error(`The test database could not be migrated: ${fault}`)
  const template = inject('testTemplate')
  const name = `${template}_${randomBytes(6).toString('hex')}`
  await runOnServer(`create database ${name} template ${template} strategy wal_log`)
  const url = new URL(inject('testServerUrl'))
  url.pathname = name
  const pool = new pg.Pool({ connectionString: url.href, max: 10 })
  // An idle connection that close() cuts must not end the test process.
  pool.on('error', () => {})
  return {
    url: url.href,
    pool,
    query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
      (await pool.query<Row>(text, values)).rows,
    clock: testClock(pool),
    close: async () => {
      await pool.end()
      await runOnServer(`drop database if exists ${name} with (force)`)
    },
  }
}

async function runOnServer(statement: string): Promise<void> {
  const client = new pg.Client(inject('testServerUrl'))
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
