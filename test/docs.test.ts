// The generated pages say what the catalogue and the database say today.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import pg from 'pg'
import { expect, inject, test } from 'vitest'
import { routeLinesFile } from '../scripts/docs/client-routes.ts'
import { schemaPage } from '../scripts/docs/schema.ts'
import { troubleshootingPage } from '../scripts/docs/troubleshooting.ts'
import { migrate } from '../src/db/migrate.ts'

const remedy = 'it is stale: write it anew with npm run docs'

const pageOf = (name: string): string => readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8')

test('docs/troubleshooting.md says what the catalogue of errors says', () => {
  expect(pageOf('troubleshooting.md'), remedy).toBe(troubleshootingPage())
})

test('the client knows the routes of all operations', () => {
  const file = readFileSync(new URL('../src/client/route-lines.ts', import.meta.url), 'utf8')
  expect(file, remedy).toBe(routeLinesFile())
})

test('docs/schema.md says what the catalog of a migrated database says', async () => {
  expect(pageOf('schema.md'), remedy).toBe(await withMigratedDatabase(schemaPage))
})

test('docs/schema.md names no partition, so that it stays true next week', () => {
  expect(pageOf('schema.md')).not.toMatch(/_\d{4}_?\d{2}|_default\b/)
})

// A database of its own: the template of the other tests holds a movable clock that users don't have.
async function withMigratedDatabase(read: (client: pg.Client) => Promise<string>): Promise<string> {
  const name = `millrace_docs_${randomBytes(4).toString('hex')}`
  const url = new URL(inject('testServerUrl'))
  await withClient(url.href, (server) => server.query(`create database ${name}`))
  const own_url = new URL(url)
  own_url.pathname = name
  try {
    await migrate({ connectionString: own_url.href })
    return await withClient(own_url.href, read)
  } finally {
    await withClient(url.href, (server) => server.query(`drop database ${name} with (force)`))
  }
}

async function withClient<Result>(url: string, use: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}
