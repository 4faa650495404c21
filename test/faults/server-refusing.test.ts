// A server that lives and refuses: read-only for a while, or without a connection left.
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Client, connect } from '../../src/sdk/client.ts'
import { allEnded, expectLoadDone, expectSound, isLong, recordFigure, startLoad } from './effects.ts'
import { type OwnServer, startOwnServer } from './own-server.ts'
import { holdPipelines } from './pipelines.ts'
import { until } from '../deadline.ts'
import { type WorkerProgram, WorkerPrograms } from './worker-program.ts'

const { hold } = holdPipelines(() => {})

let server: OwnServer
let client: Client
const programs = new WorkerPrograms()

beforeAll(async () => {
  server = await startOwnServer({ max_connections: '30' })
  client = connect({ database: server.url })
}, 60_000)
afterEach(() => programs.killAll())
afterAll(async () => {
  await client.close()
  await server.close()
}, 60_000)

const options = () => ({ database: server.url, leaseSeconds: 3, heartbeatMs: 300, slots: 6 })

test('B8 a server that is read-only for a while is tried again without a spin, and everything goes on after', async () => {
  const worker = await programs.start(options())
  const runs = await startLoad(client, 30, 20)
  await server.configure('default_transaction_read_only', 'on')
  const before = await failures()
  const ms = isLong ? 20_000 : 6_000
  await pause(ms)
  const perSecond = ((await failures()) - before) / (ms / 1_000)
  await server.configure('default_transaction_read_only')
  await allEnded(server, runs, 30_000)
  await expectLoadDone(server, runs)
  recordFigure(
    'B8',
    `${perSecond.toFixed(1)} refused transactions a second while the server was read-only, ${worker.logs.length} log lines in all`,
  )
  expect(perSecond).toBeLessThan(20)
  expect(worker.logs.length / (ms / 1_000)).toBeLessThan(2)
  expect(worker.ended).toBe(false)
}, 90_000)

test('B9 with no connection left heartbeats go on, no lease is lost, and work goes on after', async () => {
  const worker = await programs.start(options())
  const held = (await client.start(hold, { ms: 6_000, deaf: false })).run!
  await worker.said('began', { run: held.id })
  const runs = await startLoad(client, 12, 5)
  const taken = await takeAllConnections()
  await worker.said('ended', { run: held.id }, 15_000)
  for (const connection of taken) await connection.end()
  await allEnded(server, [...runs, held.id], 30_000)
  await expectLoadDone(server, runs)
  await expectSound(server, [held.id])
  expect(await outcomes(held.id)).toEqual(['completed'])
  expect(await workersOf(worker)).toEqual([{ id: worker.worker }])
  recordFigure('B9', `${taken.length} connections taken, no lease lost`)
}, 90_000)

test('B11 while somebody holds the task table alone for longer than a lease, nothing is done twice, and work goes on after', async () => {
  await programs.start(options())
  const runs = await startLoad(client, 30, 20)
  const holder = new pg.Client(server.url)
  await holder.connect()
  await holder.query('begin')
  await holder.query('lock table millrace.task in access exclusive mode')
  await pause(isLong ? 30_000 : 5_000)
  await holder.query('commit')
  await holder.end()
  await allEnded(server, runs, 30_000)
  await expectLoadDone(server, runs)
}, 90_000)

test('B12 a crash empties nothing: no table is unlogged but the one that counts the requests of the hour', async () => {
  const unlogged = await server.query(
    "select relname from pg_class where relnamespace = 'millrace'::regnamespace and relkind in ('r', 'p', 'S') and relpersistence <> 'p'",
  )
  expect(unlogged).toEqual([{ relname: 'request_count' }])
})

/** Transactions that were rolled back so far. */
async function failures(): Promise<number> {
  const [row] = await server.query<{ failed: number }>(
    'select xact_rollback::int as failed from pg_stat_database where datname = current_database()',
  )
  return row!.failed
}

/** Until the server has refused three in a row, those reserved for superusers too. */
async function takeAllConnections(): Promise<pg.Client[]> {
  const taken: pg.Client[] = []
  let refused = 0
  await until('the last connection', async () => {
    const connection = new pg.Client(server.url)
    connection.on('error', () => {})
    await connection.connect().then(
      () => taken.push(connection),
      () => refused++,
    )
    return refused >= 3
  })
  return taken
}

async function outcomes(run: string): Promise<string[]> {
  const rows = await server.query<{ outcome: string }>(
    'select outcome from millrace.attempt where run_id = $1 order by attempt',
    [run],
  )
  return rows.map(({ outcome }) => outcome)
}

const workersOf = ({ child }: WorkerProgram) =>
  server.query('select id from millrace.worker where process_id = $1', [child.pid])
