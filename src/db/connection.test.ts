// Connections: settings, value parsers, poolers, and errors that never tell a password.
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createEmptyDatabase, type EmptyDatabase } from '../../test/empty-database.ts'
import { connectClient, createPool, describeClient, describeDatabase, isPooled } from './connection.ts'

let database: EmptyDatabase
beforeAll(async () => {
  database = await createEmptyDatabase()
})
afterAll(() => database.close())

async function withClient<T>(connectionString: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connectClient({ connectionString, applicationName: 'millrace test' })
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

async function show(client: pg.ClientBase, setting: string): Promise<unknown> {
  const { rows } = await client.query<{ value: string }>('select current_setting($1) as value', [setting])
  return rows[0]?.value
}

describe('a connection', () => {
  test('names its application', async () => {
    expect(await withClient(database.url, (client) => show(client, 'application_name'))).toBe('millrace test')
  })

  test('JQ-9 bounds its statements when it is direct', async () => {
    expect(await withClient(database.url, (client) => show(client, 'statement_timeout'))).toBe('1min')
  })

  test('JQ-9 bounds the statements of every connection of a pool', async () => {
    const pool = createPool({ connectionString: database.url, statementTimeoutMs: 1_500, connectionsMax: 2 })
    const clients = [await pool.connect(), await pool.connect()]
    expect(await Promise.all(clients.map((client) => show(client, 'statement_timeout')))).toEqual([
      '1500ms',
      '1500ms',
    ])
    for (const client of clients) client.release()
    await pool.end()
  })

  test('reads int8 as a number while that is exact, timestamptz as a Date, jsonb parsed', async () => {
    const text = `select 42::int8 as small, 9007199254740993::int8 as large, array[1, null, 3]::int8[] as list,
      '2030-01-01T00:00:00Z'::timestamptz as moment, '{"a": [1]}'::jsonb as json, 1.5::numeric as exact`
    const { rows } = await withClient(database.url, (client) => client.query(text))
    expect(rows).toEqual([
      {
        small: 42,
        large: 9007199254740993n,
        list: [1, null, 3],
        moment: new Date('2030-01-01T00:00:00Z'),
        json: { a: [1] },
        exact: '1.5',
      },
    ])
  })

  test('reports an idle connection that broke, and goes on', async () => {
    const errors: Error[] = []
    const pool = createPool({ connectionString: database.url, onIdleError: (error) => errors.push(error) })
    const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid')
    const broken = once(pool, 'error')
    await database.query('select pg_terminate_backend($1)', [rows[0]?.pid])
    await broken
    expect(errors).toHaveLength(1)
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await pool.end()
  })
})

describe('a pooler', () => {
  test('C1 is recognised, and its sessions are left as they are', async () => {
    const pooler = await startPooler(new URL(database.url))
    const found = await withClient(pooler.url, async (client) => [
      await isPooled(client),
      await show(client, 'statement_timeout'),
    ])
    await pooler.stop()
    expect(found).toEqual([true, '0'])
  })

  test('is not seen where there is none', async () => {
    expect(await withClient(database.url, isPooled)).toBe(false)
  })
})

describe('a database is described', () => {
  test.each([
    ['postgres://me:secret@db.example:6543/shop?sslmode=disable', 'db.example:6543/shop'],
    ['postgres://me:secret@[::1]:5432/shop', '[::1]:5432/shop'],
    ['postgres://me:secret@db.example', 'db.example:5432/me'],
    ['postgres:///shop?host=/var/run/postgresql&user=me', '/var/run/postgresql:5432/shop'],
  ])('%s as %s', (url, description) => {
    expect(describeDatabase(url)).toBe(description)
  })

  test('by its client as well', async () => {
    const { host, pathname } = new URL(database.url)
    expect(await withClient(database.url, async (client) => describeClient(client))).toBe(
      `${host}${pathname}`,
    )
  })
})

describe('a connection that cannot be made', () => {
  test.each([
    ['an unused port', (url: URL) => Object.assign(url, { port: '1' }), 'database_unreachable'],
    [
      'a host that does not exist',
      (url: URL) => Object.assign(url, { hostname: 'no.invalid' }),
      'database_unreachable',
    ],
    [
      'a login that does not exist',
      (url: URL) => Object.assign(url, { username: 'nobody_at_all' }),
      'database_login_refused',
    ],
    [
      'a database that does not exist',
      (url: URL) => Object.assign(url, { pathname: '/no_such' }),
      'database_missing',
    ],
  ])('%s is told without the password', async (_, change, code) => {
    const url = change(new URL(database.url))
    const correct = url.password
    if (code !== 'database_missing') url.password = 'hunter2-secret'
    const error: unknown = await connectClient({ connectionString: url.href }).catch(
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ code, hint: expect.any(String) })
    expect(inspect(error, { depth: 5 })).not.toContain('hunter2-secret')
    if (correct !== '') expect(inspect(error, { depth: 5 })).not.toContain(correct)
  })

  test('an unreadable connection string is told without the password', async () => {
    const connectionString = 'postgres://me:hunter2-secret@host:port/shop'
    const error: unknown = await connectClient({ connectionString }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'connection_string_invalid' })
    expect(inspect(error, { depth: 5 })).not.toContain('hunter2-secret')
  })
})

interface Pooler {
  url: string
  stop(): Promise<void>
}

/** Passes everything on but greets with a process id of its own, as PgBouncer does. */
async function startPooler(target: URL): Promise<Pooler> {
  const sockets: net.Socket[] = []
  const server = net.createServer((near) => {
    const far = net.connect(Number(target.port), target.hostname)
    sockets.push(near, far)
    near.pipe(far)
    far.on('data', (chunk: Buffer) => near.write(withOtherProcessId(chunk)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  }
  return { url: url.href, stop }
}

// A message of the protocol is a letter, a length that counts itself, and the body; K is the greeting's key.
function withOtherProcessId(chunk: Buffer): Buffer {
  for (let at = 0; at + 5 <= chunk.length; at += 1 + chunk.readUInt32BE(at + 1)) {
    if (chunk[at] === 'K'.charCodeAt(0)) chunk.writeUInt32BE(999_999, at + 5)
  }
  return chunk
}
