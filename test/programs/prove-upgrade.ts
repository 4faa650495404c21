// The proof that an upgrade loses nothing: what each released schema was kept in the middle of ends under today's code; and so many live runs of the
// last release are worked off by old and new processes, while the schema is migrated, once killed half-way, and workers are killed.
// usage: npm run prove:upgrade -- [live runs, 100,000 unless told]
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { migrate } from '../../src/db/migrate.ts'
import { findBrokenInvariants } from '../checker.ts'
import type { EmptyDatabase } from '../empty-database.ts'
import { startTypeScript } from '../program.ts'
import { startTestServer } from '../test-server.ts'
import { releaseNames } from '../upgrade/release.ts'
import { steady } from '../upgrade/steady.ts'
import { beginStory, goOn, startStoryWorker, todaysCode, untilFinished } from '../upgrade/story.ts'

const runs = Number(process.argv[2] ?? 100_000)
const workerProgram = fileURLToPath(new URL('upgrade-worker.ts', import.meta.url))
const server = await startTestServer()
const faults: string[] = []

try {
  const names = await releaseNames()
  for (const name of names) await proveScenes(name)
  await proveLiveRuns(names.at(-1)!)
} finally {
  await server.stop()
}
for (const fault of faults) console.log(`FAULT  ${fault}`)
process.exit(faults.length === 0 ? 0 : 1)

async function createDatabase(): Promise<EmptyDatabase> {
  const name = `millrace_upgrade_${randomBytes(4).toString('hex')}`
  const connect = async (url: string) => {
    const client = new pg.Client(url)
    client.on('error', () => {})
    await client.connect()
    return client
  }
  const admin = await connect(server.url)
  await admin.query(`create database ${name}`)
  const url = new URL(server.url)
  url.pathname = name
  const client = await connect(url.href)
  return {
    url: url.href,
    query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
      (await client.query<Row>(text, values)).rows,
    connect: () => connect(url.href),
    close: async () => {
      await client.end()
      await admin.query(`drop database ${name} with (force)`)
      await admin.end()
    },
  }
}

async function proveScenes(name: string): Promise<void> {
  const story = await beginStory(name, await createDatabase())
  const before = await story.database.query<{ id: string }>('select id from millrace.run')
  await migrate({ connectionString: story.database.url })
  await goOn(story)
  const queues = ['default', 'later']
  const worker = await startStoryWorker(story, todaysCode, { name: 'new', pipelines: [], queues })
  const found = [
    ...(await untilFinished(story, 60_000)),
    ...(await findBrokenInvariants(
      story.database,
      before.map(({ id }) => id),
    )),
  ]
  await worker.stop({ force: true })
  await story.close()
  faults.push(...found.map((fault) => `${name}: ${fault}`))
  console.log(
    `release ${name}: ${before.length} runs of ${story.scenes.length} kinds, ${found.length} faults`,
  )
}

async function proveLiveRuns(name: string): Promise<void> {
  const story = await beginStory(name, await createDatabase())
  const { database, release } = story
  const client = release.code.connect({ database: database.url })
  const started: string[] = []
  for (let n = 0; n < runs; n += 1_000) {
    const inputs = Array.from({ length: Math.min(1_000, runs - n) }, (_, i) => ({ n: n + i }))
    for (const { run } of await client.startMany(steady(release.code), inputs)) started.push(run!.id)
  }
  await client.close()

  const booked = async () =>
    (
      await database.query<{ n: number }>(
        `select count(*)::int as n from shop.effect e join millrace.run r on r.id = e.run_id where r.slug = 'steady'`,
      )
    )[0]!.n
  const untilBooked = async (share: number) => {
    while ((await booked()) < Math.min(share, 1) * runs) await pause(100)
  }
  const old = [await startProcess(database.url, name), await startProcess(database.url, name)]
  await untilBooked(0.05)
  await killMigrator(database)
  await untilBooked(0.15)
  const begun = performance.now()
  const { applied } = await migrate({ connectionString: database.url })
  const migrateMs = performance.now() - begun
  const atMigration = await booked()
  await untilBooked(atMigration / runs + 0.1)
  const fresh = [await startProcess(database.url, null), await startProcess(database.url, null)]
  await untilBooked(0.5)
  await killed(old[0]!)
  await untilBooked(0.7)
  await killed(fresh[0]!)
  const deadline = performance.now() + 600_000
  for (;;) {
    const [row] = await database.query<{ open: number }>(
      `select count(*)::int as open from millrace.run where slug = 'steady' and finished_at is null`,
    )
    if (row!.open === 0) break
    if (performance.now() > deadline) {
      faults.push(`${row!.open} runs did not end`)
      break
    }
    await pause(200)
  }
  for (const child of [old[1]!, fresh[1]!]) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  const [counts] = await database.query<{ runs: number; effects: number; lost: number }>(
    `select count(distinct e.run_id)::int as runs, count(*)::int as effects,
            (select count(*)::int from unnest($1::uuid[]) s(id) where not exists (select from millrace.run r where r.id = s.id and r.state = 'completed')) as lost
       from shop.effect e join millrace.run r on r.id = e.run_id where r.slug = 'steady'`,
    [started],
  )
  if (counts!.runs !== runs || counts!.effects !== runs || counts!.lost > 0)
    faults.push(
      `of ${runs} runs ${counts!.runs} have booked, ${counts!.effects} times; ${counts!.lost} did not complete`,
    )
  faults.push(...(await findBrokenInvariants(database, started)))
  const by = await database.query<{ workers: string }>(
    `select string_agg(n::text, ', ' order by n desc) as workers from (
       select count(*) as n from millrace.attempt a join millrace.run r on r.id = a.run_id where r.slug = 'steady' group by a.worker_id) w`,
  )
  console.log(
    `release ${name}, ${runs} live runs: ${applied.length} migrations and the functions in ${Math.round(migrateMs)} ms beside 2 old workers, ` +
      `once killed half-way; ${counts!.runs} ended, ${counts!.effects} effects, ${counts!.lost} lost; attempts by worker: ${by[0]!.workers}`,
  )
  await story.close()
}

async function startProcess(database: string, release: string | null): Promise<ChildProcess> {
  const child = fork(workerProgram, [JSON.stringify({ database, release })], {
    execArgv: ['--import', 'tsx'],
  })
  await once(child, 'message')
  return child
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

/** Kills a migrator process in the middle of its transaction, and looks that nothing is left of it. */
async function killMigrator(database: EmptyDatabase): Promise<void> {
  const applied = () => database.query('select number, checksum from millrace.migration order by number')
  const before = JSON.stringify(await applied())
  const migrator = startTypeScript('src/cli/main.ts', ['migrate', '--database', database.url])
  for (;;) {
    const [row] = await database.query(
      `select from pg_stat_activity where application_name = 'millrace migrate' and backend_xid is not null and datname = current_database()`,
    )
    if (row !== undefined) break
    await pause(5)
  }
  await migrator.kill()
  if (JSON.stringify(await applied()) !== before)
    faults.push('The killed migrator has left something behind.')
}
