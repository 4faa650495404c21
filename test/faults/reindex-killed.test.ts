// A rebuild of indexes that is killed half-way leaves one behind that every write pays for: the doctor finds it, migrate drops it.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { migrate } from '../../src/db/migrate.ts'
import { type Caller, openFolder } from '../commands.ts'
import { createTestDatabase, type TestDatabase } from '../database.ts'
import { until } from '../deadline.ts'
import { type Connection, connect } from '../protocol.ts'

let database: TestDatabase
let project: Caller
beforeEach(async () => {
  database = await createTestDatabase()
  project = openFolder({ DATABASE_URL: database.url })
})
afterEach(async () => {
  project.close()
  await database.close()
})

const table = 'millrace.worker'

/** Begins a rebuild of the table's indexes, which waits at the given phase for whoever holds such a lock on the table. */
async function beginRebuild(
  lock: string,
): Promise<{ holder: Connection; pid: number; rebuilt: Promise<unknown> }> {
  const holder = await connect(database)
  const rebuilder = await connect(database)
  await holder.query('begin')
  await holder.query(`lock table ${table} in ${lock} mode`)
  const [row] = await rebuilder.query<{ pid: number }>('select pg_backend_pid() as pid')
  const rebuilt = rebuilder
    .query(`reindex table concurrently ${table}`)
    .then(
      () => 'rebuilt',
      () => 'killed',
    )
    .then(async (outcome) => {
      await rebuilder.end().catch(() => {})
      return outcome
    })
  // Whoever asks holds it up for a moment as well, in other phases: so it is the phase that is waited for.
  const phase =
    lock === 'access share' ? 'waiting for readers before marking dead' : 'waiting for writers before build'
  await until(
    `the rebuild is ${phase}`,
    async () =>
      (
        await database.query(
          `select from pg_stat_progress_create_index p join pg_stat_activity a using (pid)
            where p.pid = $1 and p.phase = $2 and a.wait_event_type = 'Lock'`,
          [row!.pid, phase],
        )
      ).length > 0,
  )
  return { holder, pid: row!.pid, rebuilt }
}

async function release(holder: Connection): Promise<void> {
  await holder.query('commit')
  await holder.end()
}

async function killRebuild(lock: string): Promise<void> {
  const { holder, pid, rebuilt } = await beginRebuild(lock)
  await database.query('select pg_terminate_backend($1)', [pid])
  expect(await rebuilt).toBe('killed')
  await release(holder)
  const gone = 'select from pg_locks where pid = $1'
  await until(
    'the rebuild has let go of its locks',
    async () => (await database.query(gone, [pid])).length === 0,
  )
}

const invalid = async (): Promise<string[]> => {
  const rows = await database.query<{ name: string }>(
    'select c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid where not i.indisvalid order by 1',
  )
  return rows.map(({ name }) => name)
}

const migrateLines = async (): Promise<string[]> => {
  const lines: string[] = []
  await migrate({ connectionString: database.url, log: (line) => lines.push(line) })
  return lines
}

// A writer holds it up before the new index is built, a reader once it stands in the place of the old one.
describe('F8 a rebuild killed', () => {
  const phases: ReadonlyArray<readonly [string, string, RegExp]> = [
    ['while it builds the new indexes leaves them', 'row exclusive', /_ccnew/],
    ['before it drops the old indexes leaves those', 'access share', /_ccold/],
  ]
  test.each(phases)(
    '%s; the doctor names them, migrate drops them, and the index that is used stays',
    async (_, lock, left) => {
      const indexes = await database.query(
        `select indexname from pg_indexes where tablename = 'worker' order by 1`,
      )
      await killRebuild(lock)
      const found = await invalid()
      expect(found.length).toBeGreaterThan(1)
      for (const name of found) expect(name).toMatch(left)
      // Those of the table that holds long values, too.
      expect(found.some((name) => name.startsWith('pg_toast'))).toBe(true)

      const told = await project.call('doctor')
      expect(told.status).toBe(0)
      const words = told.stdout.replace(/\s+/g, ' ')
      expect(words).toContain(
        `warn indexes ${found.length} indexes left over from a rebuild that was killed: `,
      )
      for (const name of found) expect(told.stdout.replace(/\s+/g, '')).toContain(name)

      const planned = JSON.parse((await project.call('migrate', '--plan', '--json')).stdout) as {
        droppedIndexes: string[]
      }
      expect(planned.droppedIndexes).toHaveLength(found.length)
      expect(await invalid()).toEqual(found)

      const dropped = JSON.parse((await project.call('migrate', '--json')).stdout) as {
        droppedIndexes: string[]
      }
      expect(dropped.droppedIndexes).toEqual(planned.droppedIndexes)
      expect(await invalid()).toEqual([])
      expect(
        await database.query(`select indexname from pg_indexes where tablename = 'worker' order by 1`),
      ).toEqual(indexes)
      expect((await project.call('doctor')).stdout).toMatch(/^ok {4}indexes /m)
      expect(await migrateLines()).toEqual([])
    },
    60_000,
  )
})

test('F8 a rebuild that is under way is left alone', async () => {
  const { holder, rebuilt } = await beginRebuild('row exclusive')
  const lines = await migrateLines()
  expect(lines.length).toBeGreaterThan(1)
  for (const line of lines)
    expect(line).toMatch(/^Left the index .*_ccnew where it is: somebody works on table worker\.$/)
  await release(holder)
  expect(await rebuilt).toBe('rebuilt')
  expect(await invalid()).toEqual([])
}, 60_000)
