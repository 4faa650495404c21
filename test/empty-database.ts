// A database without Millrace, for the tests that bring it there themselves.
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'

export interface EmptyDatabase {
  /** A superuser's address. */
  url: string
  query<Row extends pg.QueryResultRow = Record<string, unknown>>(
    text: string,
    values?: unknown[],
  ): Promise<Row[]>
  /** Another connection to it, ended by close() at the latest. */
  connect(): Promise<pg.Client>
  /** Drops the database, whoever is still connected. */
  close(): Promise<void>
}

/** @param collation an ICU locale by which it sorts texts; as the server does otherwise */
export async function createEmptyDatabase(collation?: string): Promise<EmptyDatabase> {
  // The prefix is that of the template's copies, so that the global teardown drops what a killed test leaves.
  const name = `${inject('testTemplate')}_empty_${randomBytes(6).toString('hex')}`
  const server = await connectTo(inject('testServerUrl'))
  const sorted = collation === undefined ? '' : ` locale_provider icu icu_locale '${collation}'`
  await server.query(`create database ${name} template template0${sorted}`)
  const url = new URL(inject('testServerUrl'))
  url.pathname = name
  const client = await connectTo(url.href)
  return {
    url: url.href,
    query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
      (await client.query<Row>(text, values)).rows,
    connect: () => connectTo(url.href),
    close: async () => {
      await client.end()
      await server.query(`drop database if exists ${name} with (force)`)
      await server.end()
    },
  }
}

async function connectTo(url: string): Promise<pg.Client> {
  const client = new pg.Client(url)
  // A connection that close() cuts must not end the test process.
  client.on('error', () => {})
  await client.connect()
  return client
}
