// A database for one test file: a copy of the migrated template, with a clock that tests can move. Whoever still uses it at its end is named.
import pg from 'pg'
import { inject } from 'vitest'
import { type TestClock, testClock } from '../src/db/test-clock.ts'
import { onServer } from '../src/db/test-databases.ts'
import { createTestCopy } from '../src/testing/test-server.ts'
import { waitedFor } from './leftovers.ts'

export interface TestDatabase {
  /** A superuser's address. */
  url: string
  pool: pg.Pool
  query<Row extends pg.QueryResultRow = Record<string, unknown>>(
    text: string,
    values?: unknown[],
  ): Promise<Row[]>
  clock: TestClock
  /** Ends the pool and drops the database; whoever is still connected by then is an error. */
  close(graceMs?: number): Promise<void>
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
    close: async (graceMs) => {
      await pool.end()
      const left = await onServer(inject('testServerUrl'), (server) =>
        stillConnected(server, copy.url, graceMs),
      )
      await copy.drop()
      if (left.length > 0)
        throw new Error(`Still connected to the test database at its end:\n${left.join('\n')}`)
    },
  }
}

/** A line for each connection that does not go within a moment. */
function stillConnected(server: pg.Client, url: string, graceMs?: number): Promise<string[]> {
  return waitedFor(async () => {
    const { rows } = await server.query<{ line: string }>(
      `select format('- %s (%s): %s', application_name, state, left(query, 200)) as line
         from pg_stat_activity where datname = $1 and backend_type = 'client backend'`,
      [new URL(url).pathname.slice(1)],
    )
    return rows.map(({ line }) => line)
  }, graceMs)
}

/** The name of the template; a migration that failed is told by whoever needs a database. */
export function testTemplate(): string {
  const fault = inject('testTemplateFault')
  if (fault !== '') throw new Error(`The test database could not be migrated: ${fault}`)
  return inject('testTemplate')
}
