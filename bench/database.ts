// A migrated database for one figure, and the server that holds them.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import type { Ending } from './ending.ts'
import { removeFolder, removeLeftOvers, temporaryFolder } from './left-overs.ts'
import { createPool, migrate, startEmbeddedPostgres } from './product.ts'

export interface BenchDatabase {
  readonly url: string
  readonly pool: pg.Pool
  /** Ends the pool and drops the database, whoever is still connected. */
  drop(): Promise<void>
}

export interface BenchServer {
  readonly url: string
  readonly description: string
}

export async function createDatabase(serverUrl: string): Promise<BenchDatabase> {
  const name = `millrace_bench_${randomBytes(5).toString('hex')}`
  await onServer(serverUrl, `create database ${name}`)
  const url = new URL(serverUrl)
  url.pathname = name
  // Filling a large database may take longer than the minute that statements have by default.
  const pool = createPool({ connectionString: url.href, connectionsMax: 8, statementTimeoutMs: 0 })
  const drop = async () => {
    await pool.end()
    await onServer(serverUrl, `drop database if exists ${name} with (force)`)
  }
  try {
    await migrate({ connectionString: url.href })
  } catch (error) {
    await drop()
    throw error
  }
  return { url: url.href, pool, drop }
}

/** The server of BENCH_DATABASE_URL, or a new embedded one in a temporary folder, with the settings of a fresh install; it goes with the ending. */
export async function openServer(settings: Record<string, string>, ending: Ending): Promise<BenchServer> {
  await removeLeftOvers()
  const given = process.env['BENCH_DATABASE_URL']
  if (given !== undefined && given !== '') return { url: given, description: await describe(given) }
  const folder = temporaryFolder('bench')
  // As root the server runs under another user, who must be able to enter.
  fs.chmodSync(folder, 0o755)
  const directory = path.join(fs.realpathSync(folder), '.millrace')
  const starting = startEmbeddedPostgres({ directory, settings })
  ending.add(async () => {
    const server = await starting.catch(() => undefined)
    await server?.release()
    for (const gone of [server?.directory ?? directory, folder]) removeFolder(gone)
  })
  const { url } = await starting
  return { url, description: await describe(url) }
}

async function describe(url: string): Promise<string> {
  const [row] = await onServer<{ version: string; fsync: string; commit: string }>(
    url,
    `select current_setting('server_version') as version, current_setting('fsync') as fsync,
            current_setting('synchronous_commit') as commit`,
  )
  return `PostgreSQL ${row?.version}, fsync ${row?.fsync}, synchronous_commit ${row?.commit}`
}

async function onServer<Row extends pg.QueryResultRow>(url: string, statement: string): Promise<Row[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query<Row>(statement)).rows
  } finally {
    await client.end()
  }
}
