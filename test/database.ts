// A database for one test file: a copy of the migrated template, with a clock that tests can move.
import pg from 'pg'
import { inject } from 'vitest'
import { type TestClock, testClock } from '../src/db/test-clock.ts'
import { createTestCopy } from '../src/testing/test-server.ts'

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
  const copy = await createTestCopy({ server: inject('testServerUrl'), template: testTemplate() })
  const pool = new pg.Pool({ connectionString: copy.url, max: 10 })
  // An idle connection that close() cuts must not end the test process.
  pool.on('error', () => {})
  return {
    url: copy.url,
    pool,
    query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
      (await pool.query<Row>(text, values)).rows,
    clock: testClock(pool),
    close: async () => {
      await pool.end()
      await copy.drop()
    },
  }
}

/** The name of the template; a migration that failed is told by whoever needs a database. */
export function testTemplate(): string {
  const fault = inject('testTemplateFault')
  if (fault !== '') throw new Error(`The test database could not be migrated: ${fault}`)
  return inject('testTemplate')
}
