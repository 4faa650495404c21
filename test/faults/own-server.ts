// A server of a test's own, with real syncs, that can be stopped at once, as by a crash, and started again on the same data and port.
import fs from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import { migrate } from '../../src/db/migrate.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/embedded/server.ts'
import type { Settings } from '../../src/embedded/settings.ts'
import type { Sql } from '../protocol.ts'
import { makeReachableFolder } from '../reachable-folder.ts'
import { effectTable } from './pipelines.ts'
import { until } from '../deadline.ts'

export class OwnServer implements Sql {
  readonly url: string
  readonly #folder: string
  readonly #settings: Settings
  #starts: EmbeddedPostgres[]
  #starting: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(folder: string, settings: Settings, server: EmbeddedPostgres) {
    this.#folder = folder
    this.#settings = settings
    this.#starts = [server]
    this.url = server.url
  }

  /** On a connection of its own, which no stop can spoil for the next query. */
  async query<Row extends pg.QueryResultRow = Record<string, unknown>>(text: string, values: unknown[] = []) {
    const client = new pg.Client({
      connectionString: this.url,
      application_name: 'fault test',
      options: '-c default_transaction_read_only=off',
    })
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query<Row>(text, values)).rows
    } finally {
      await client.end()
    }
  }

  /** Changes a setting for all sessions, also those there are; without a value it is as it was. */
  async configure(setting: string, value?: string): Promise<void> {
    await this.query(
      value === undefined ? `alter system reset ${setting}` : `alter system set ${setting} = '${value}'`,
    )
    await this.query('select pg_reload_conf()')
  }

  /** Ends all its processes at once, without a checkpoint: what pg_ctl stop -m immediate sends. */
  async crash(): Promise<void> {
    const pid = this.#postmaster
    process.kill(pid, 'SIGQUIT')
    await until('the end of the server', () => !isThere(pid))
  }

  /** Ready for connections when it resolves. */
  async start(): Promise<void> {
    if (this.#isClosed) throw new Error('the server is closed for good')
    const starting = startEmbeddedPostgres({
      directory: path.join(this.#folder, '.millrace'),
      settings: this.#settings,
    })
    this.#starting = starting.catch(() => {})
    const server = await starting
    this.#starts.push(server)
    if (server.url !== this.url) throw new Error(`the server came back as ${server.url}`)
  }

  /** For good, also where somebody is starting it again. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#starting
    for (const server of this.#starts) await server.release()
    for (const folder of [this.#starts[0]!.directory, this.#folder])
      fs.rmSync(folder, { recursive: true, force: true })
  }

  get #postmaster(): number {
    const file = path.join(this.#starts[0]!.directory, 'data', 'postmaster.pid')
    return Number(fs.readFileSync(file, 'utf8').split('\n')[0])
  }
}

/**
 * A new one, migrated, with the table that the load writes its effects to; in a folder of its own, which goes with it. The schema is that of a folder like
 * sql/, today's unless told.
 */
export async function startOwnServer(
  settings: Settings = {},
  folder = makeReachableFolder(),
  schema?: string,
): Promise<OwnServer> {
  const server = new OwnServer(
    folder,
    settings,
    await startEmbeddedPostgres({ directory: path.join(folder, '.millrace'), settings }),
  )
  try {
    await migrate({ connectionString: server.url, ...(schema !== undefined && { directory: schema }) })
    await server.query(effectTable)
    return server
  } catch (error) {
    await server.close()
    throw error
  }
}

/** Whether a process of this number lives. */
export function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
