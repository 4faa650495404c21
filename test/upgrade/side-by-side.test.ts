// An upgrade while it works: old workers, a migrator that is killed, the schema of today, new workers beside the old ones, and no way back.
import { cp } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../src/db/migrate.ts'
import { connect } from '../../src/sdk/client.ts'
import { findBrokenInvariants } from '../checker.ts'
import { createEmptyDatabase } from '../empty-database.ts'
import { until } from '../deadline.ts'
import { Arrival } from '../millrace.ts'
import { createSchemaFolder } from '../schema-folder.ts'
import { type ReleasedCode, releaseNames } from './release.ts'
import { steady } from './steady.ts'
import { beginStory, goOn, startStoryWorker, type Story, todaysCode, untilFinished } from './story.ts'

const todaysSql = fileURLToPath(new URL('../../sql', import.meta.url))
const name = (await releaseNames()).at(-1)!

let story: Story
beforeAll(async () => {
  story = await beginStory(name, await createEmptyDatabase())
})
afterAll(() => story.close())

const inputs = (count: number) => Array.from({ length: count }, (_, n) => ({ n }))

test(`L1 beside workers of release ${name} the schema is migrated, once killed half-way, and they go on until they are stopped; then their code is refused`, async () => {
  const { database, release } = story
  const goAhead = new Arrival()
  const complaints: string[] = []
  const old = await startStoryWorker(story, release.code, {
    name: 'old',
    pipelines: [steady(release.code)],
    hold: () => goAhead.come,
    log: ({ level, message }) => void (level === 'info' || complaints.push(message)),
  })
  const oldClient = release.code.connect({ database: database.url })
  const newClient = connect({ database: database.url })
  const started = await database.query<{ id: string }>('select id from millrace.run')
  const start = async (client: typeof newClient, code: ReleasedCode, count: number) => {
    for (const { run } of await client.startMany(steady(code), inputs(count))) started.push({ id: run!.id })
  }
  const oldStarts = (count: number) => start(oldClient, release.code, count)

  // Killed when all migrations are applied, and nothing of it is committed.
  const before = await schemaOf(story)
  await oldStarts(20)
  await killedHalfWay(story)
  expect(await schemaOf(story)).toEqual(before)
  await oldStarts(20)
  await steadyEnded(story, 40)
  expect(await workersSince(story, 0)).toEqual([old.id])

  // Handlers of the old worker stand in the middle all the while, and starts come.
  const [migrated] = await Promise.all([migrate({ connectionString: database.url }), oldStarts(100)])
  expect(migrated.applied.length).toBeGreaterThan(0)
  await oldStarts(50)
  await steadyEnded(story, 190)
  expect(await workersSince(story, 40)).toEqual([old.id])

  const fresh = await startStoryWorker(story, todaysCode, {
    name: 'new',
    pipelines: [steady(todaysCode)],
    queues: ['default', 'later'],
  })
  await Promise.all([oldStarts(100), start(newClient, todaysCode, 100)])
  goAhead.arrive()
  await steadyEnded(story, 390)
  await old.stop()
  expect(complaints).toEqual([])

  await expect(startStoryWorker(story, release.code, { name: 'late', pipelines: [] })).rejects.toMatchObject({
    code: 'schema_newer',
    message: `The schema has migration ${migrated.version}, but this package knows only ${Number(name)}.`,
    hint: 'Install the newer millrace here; a schema is never taken back.',
  })
  await expect(release.code.migrate({ connectionString: database.url })).rejects.toMatchObject({
    code: 'schema_newer',
  })
  expect((await schemaOf(story)).migrations).toBe(migrated.version)

  await oldStarts(20)
  await goOn(story)
  expect(await untilFinished(story, 20_000)).toEqual([])
  await steadyEnded(story, 410)
  await fresh.stop({ force: true })
  await Promise.all([oldClient.close(), newClient.close()])
  const ids = started.map(({ id }) => id)
  expect(await findBrokenInvariants(database, ids)).toEqual([])
})

/** A migrator whose connection is cut while it waits behind its last migration. */
async function killedHalfWay({ database }: Story): Promise<void> {
  const folder = await createSchemaFolder({})
  await cp(todaysSql, folder.directory, { recursive: true })
  const { version } = await migrate({
    connectionString: database.url,
    directory: folder.directory,
    plan: true,
  })
  const pending = (await migrate({ connectionString: database.url, plan: true })).pending.length
  await folder.write(
    `migrations/${String(version + pending + 1).padStart(4, '0')}_gate.sql`,
    'lock table shop.gate;',
  )
  await database.query('create table if not exists shop.gate ()')
  const holder = await database.connect()
  await holder.query('begin; lock table shop.gate')
  const killed = expect(
    migrate({ connectionString: database.url, directory: folder.directory }),
  ).rejects.toMatchObject({ code: 'database_unreachable' })
  await until('the migrator waits', async () => {
    const cut = await database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'millrace migrate' and wait_event = 'relation'`,
    )
    return cut.length > 0
  })
  await killed
  await holder.end()
  await folder.close()
}

/** What the migrator recorded, and what it would have changed. */
async function schemaOf({ database }: Story) {
  const [row] = await database.query<{ migrations: number; checksum: string; columns: number }>(
    `select (select max(number) from millrace.migration) as migrations, (select checksum from millrace.function_set) as checksum,
            (select count(*)::int from pg_attribute a join pg_class c on c.oid = a.attrelid where c.relnamespace = 'millrace'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition) as columns`,
  )
  return row!
}

/** Which workers have run the steady runs from this one on. */
async function workersSince({ database }: Story, first: number): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    `select distinct a.worker_id as id from millrace.attempt a
      where a.run_id in (select r.id from millrace.run r where r.slug = 'steady' order by r.created_at, r.id offset $1)`,
    [first],
  )
  return rows.map(({ id }) => id)
}

/** Each has booked once. */
async function steadyEnded({ database }: Story, count: number): Promise<void> {
  await until(`${count} steady runs have ended`, async () => {
    const [row] = await database.query<{ ended: number }>(
      `select count(*)::int as ended from millrace.run where slug = 'steady' and state = 'completed'`,
    )
    return row!.ended >= count
  })
  const [row] = await database.query<{ runs: number; effects: number }>(
    `select count(distinct e.run_id)::int as runs, count(*)::int as effects
       from shop.effect e join millrace.run r on r.id = e.run_id where r.slug = 'steady'`,
  )
  expect(row).toEqual({ runs: count, effects: count })
}
