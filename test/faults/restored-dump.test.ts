// A dump that is restored into another cluster while leases are held: nothing of it runs there until somebody enables it.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MillraceError } from '../../src/core/errors.ts'
import { migrate } from '../../src/db/migrate.ts'
import { type Client, connect } from '../../src/sdk/client.ts'
import { startWorker } from '../../src/worker/worker.ts'
import { until } from '../deadline.ts'
import { makeReachableFolder } from '../reachable-folder.ts'
import { startTestServer, type TestServer } from '../test-server.ts'
import { allEnded, expectSound } from './effects.ts'
import { effectTable, holdPipelines, load } from './pipelines.ts'
import { openProxy, type Proxy } from './proxy.ts'
import { WorkerPrograms } from './worker-program.ts'

// The embedded PostgreSQL brings no pg_dump, and another major version's refuses its server.
const installation = '/usr/lib/postgresql/15'
const isThere = fs.existsSync(path.join(installation, 'bin', 'pg_dump'))
if (!isThere)
  process.stdout.write('Left out: the test of a restored dump, because PostgreSQL 15 is not installed.\n')

const { hold, holdTransaction } = holdPipelines(() => {})
let from: TestServer
let to: TestServer
let client: Client
let proxy: Proxy
let folder: string
const programs = new WorkerPrograms()

beforeAll(async () => {
  if (!isThere) return
  ;[from, to] = await Promise.all([
    startTestServer({ binaries: installation }),
    startTestServer({ binaries: installation }),
  ])
  folder = makeReachableFolder()
  await migrate({ connectionString: from.url })
  await query(from.url, effectTable)
  client = connect({ database: from.url })
  proxy = await openProxy(from.url)
}, 60_000)
afterAll(async () => {
  if (!isThere) return
  fs.rmSync(folder, { recursive: true, force: true })
  await programs.killAll()
  await client.close()
  await proxy.close()
  await Promise.all([from.stop(), to.stop()])
}, 60_000)

async function query<Row extends pg.QueryResultRow = Record<string, unknown>>(
  url: string,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const connection = new pg.Client(url)
  connection.on('error', () => {})
  await connection.connect()
  try {
    return (await connection.query<Row>(text, values)).rows
  } finally {
    await connection.end()
  }
}

function run(program: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(path.join(installation, 'bin', program), args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`)
}

const attempts = (url: string) =>
  query<{ outcome: string }>(url, 'select outcome, run_id from millrace.attempt order by run_id, attempt')

test.skipIf(!isThere)(
  'B13 in a restored dump leases are void, also of a worker whose connections are led there, nothing runs, and all goes on once it is enabled',
  async () => {
    const worker = await programs.start({
      database: proxy.through(from.url),
      leaseSeconds: 10,
      heartbeatMs: 300,
      slots: 4,
    })
    const held = (await client.start(hold, { ms: 60_000, deaf: true })).run!
    const writing = (await client.start(holdTransaction, { ms: 60_000 })).run!
    await worker.said('began', { run: held.id })
    await worker.said('began', { run: writing.id })
    const waiting = (
      await client.start(load[0].pipeline, { ms: 1 }, { availableAt: new Date(Date.now() + 3_000) })
    ).run!

    const dump = path.join(folder, 'dump')
    run('pg_dump', '--format=custom', `--file=${dump}`, from.url)
    // Who is led there finds the same login.
    await query(to.url, `alter role postgres password '${new URL(from.url).password}'`)
    const restored = new URL(from.url)
    restored.port = new URL(to.url).port
    const roles = await query<{ rolname: string }>(
      from.url,
      "select rolname from pg_roles where rolname like 'millrace%'",
    )
    for (const { rolname } of roles) await query(restored.href, `create role ${rolname}`)
    run('pg_restore', `--dbname=${restored.href}`, dump)
    const before = await attempts(restored.href)
    const leases = "select count(*)::int as alive from millrace.worker where state <> 'gone'"
    expect(await query(restored.href, leases)).toEqual([{ alive: 1 }])

    proxy.leadTo(restored.href)
    await until('the worker is told', () =>
      worker.logs.some(({ message }) => message?.startsWith('The worker could not register: Database')),
    )
    await worker.said('aborted', { run: held.id })
    await worker.said('ended', { run: held.id })
    const refused = await startWorker({ database: restored.href, pipelines: [hold], log: () => {} }).catch(
      (error: unknown) => error,
    )
    expect(refused).toBeInstanceOf(MillraceError)
    expect(refused).toMatchObject({ code: 'database_copied' })
    const own = connect({ database: restored.href })
    const asked = (await own.start(load[0].pipeline, { ms: 1 })).run!
    expect(await own.run(asked).why()).toMatchObject({ reason: 'copied_database' })
    expect(await attempts(restored.href)).toEqual(before)

    expect(
      await query(restored.href, 'select enabled, workers, tasks from millrace.enable_database()'),
    ).toEqual([{ enabled: true, workers: 1, tasks: 2 }])
    await allEnded({ query: (text, values) => query(restored.href, text, values) }, [waiting.id, asked.id])
    await worker.said('began', { run: writing.id, attempt: 2 })
    await worker.said('began', { run: held.id, attempt: 2 })
    expect((await attempts(restored.href)).filter(({ outcome }) => outcome === 'reclaimed')).toHaveLength(2)
    await expectSound({ query: (text, values) => query(restored.href, text, values) }, [waiting.id, asked.id])
    await own.close()
    // The other one knows nothing of all that.
    expect(await query(from.url, 'select millrace.is_copied_database() as copied')).toEqual([
      { copied: false },
    ])
  },
  90_000,
)
