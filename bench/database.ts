// A migrated database for one figure, and the server that holds them.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { removeAbandonedServers } from '../test/abandoned-servers.ts'
import { createPool, migrate, startEmbeddedPostgres } from './product.ts'

const folderPrefix = 'millrace-bench-'

export interface BenchDatabase {
  readonly url: string
  readonly pool: pg.Pool
  /** Ends the pool and drops the database, whoever is still connected. */
  drop(): Promise<void>
}

export interface BenchServer {
  readonly url: string
  readonly description: string
  close(): Promise<void>
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

/** The server of BENCH_DATABASE_URL, or a new embedded one in a temporary folder, with the settings of a fresh install. */
export async function openServer(settings: Record<string, string>): Promise<BenchServer> {
  const given = process.env['BENCH_DATABASE_URL']
  if (given !== undefined && given !== '')
    return { url: given, description: await describe(given), close: async () => {} }
  await removeAbandonedServers(os.tmpdir(), folderPrefix)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), folderPrefix))
  // As root the server runs under another user, who must be able to enter.
  fs.chmodSync(folder, 0o755)
  const server = await startEmbeddedPostgres({
    directory: path.join(fs.realpathSync(folder), '.millrace'),
    settings,
  })
  const close = async () => {
    await server.release()
    for (const gone of [server.directory, folder]) fs.rmSync(gone, { recursive: true, force: true })
  }
  return { url: server.url, description: await describe(server.url), close }
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
