// The API while its database refuses or is away: each request is answered 503 with a time to come back, the process lives, and serves again by itself.
import { afterAll, beforeAll, expect, test } from 'vitest'
import pg from 'pg'
import { actorOf } from '../api.ts'
import { until } from '../deadline.ts'
import { connect } from '../../src/sdk/client.ts'
import { pipeline } from '../../src/sdk/pipeline.ts'
import { openServer, type Server } from '../../src/server/server.ts'
import { type OwnServer, startOwnServer } from './own-server.ts'
import { openProxy } from './proxy.ts'

const echo = pipeline('echo').step('say', ({ input }) => input)
let database: OwnServer
let server: Server

beforeAll(async () => {
  database = await startOwnServer({ max_connections: '20' })
  const client = connect({ database: database.url })
  await client.start(echo, null)
  await client.close()
  server = await openServer({
    database: database.url,
    pipelines: [],
    rateLimits: false,
    authenticators: [() => Promise.resolve({ actor: actorOf({ role: 'operator' }), ambient: false })],
  })
}, 60_000)
afterAll(async () => {
  await server.close()
  await database.close()
}, 60_000)

async function ask(
  path: string,
  body?: object,
): Promise<{ status: number; retryAfter: string | null; text: string }> {
  const response = await server.fetch(
    new Request(`http://localhost${path}`, {
      ...(body === undefined
        ? {}
        : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    }),
  )
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    text: await response.text(),
  }
}
const start = () => ask('/runs', { pipeline: 'echo', input: null })

function expectUnavailable({ status, retryAfter, text }: Awaited<ReturnType<typeof ask>>): void {
  expect(status).toBe(503)
  expect(retryAfter).toMatch(/^[1-9]\d*$/)
  expect(text).toContain('server_unavailable')
  expect(text).not.toContain(new URL(database.url).port)
}

async function expectServing(): Promise<void> {
  await until('it serves again', async () => (await start()).status === 201)
  await until('it is ready again', async () => (await ask('/health/ready')).status === 200)
}

test('B8 while the database only reads, starts get 503 and lists are answered; it is not ready, and all goes on after', async () => {
  await expectServing()
  await database.configure('default_transaction_read_only', 'on')
  await until('the setting counts', async () => (await start()).status === 503)
  expectUnavailable(await start())
  expect((await ask('/runs')).status).toBe(200)
  await until('it says so', async () => (await ask('/health/ready')).status === 503)
  expect((await ask('/health/live')).status).toBe(200)
  await database.configure('default_transaction_read_only')
  await expectServing()
})

test('B9 with no connection left requests get 503, the process lives, and all goes on after', async () => {
  // Ends those that the server holds, so that it needs new ones.
  await database.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and application_name like 'millrace%'`,
  )
  const taken: pg.Client[] = []
  let refused = 0
  await until('the last connection is taken', async () => {
    const connection = new pg.Client(database.url)
    connection.on('error', () => {})
    await connection.connect().then(
      () => taken.push(connection),
      () => refused++,
    )
    return refused >= 3
  })
  expectUnavailable(await start())
  expect((await ask('/health/live')).status).toBe(200)
  await Promise.all(taken.map((connection) => connection.end()))
  await expectServing()
})

test('B1 while the database is away requests get 503, the process lives, and it serves again by itself', async () => {
  await database.crash()
  expectUnavailable(await start())
  expectUnavailable(await ask('/runs'))
  expect((await ask('/health/live')).status).toBe(200)
  await database.start()
  await expectServing()
})

test('a database that says nothing any more keeps no server from ending', { timeout: 30_000 }, async () => {
  const proxy = await openProxy(database.url)
  const own = await openServer({ database: proxy.through(database.url), pipelines: [], schemaFits: true })
  const ready = () => own.fetch(new Request('http://localhost/health/ready'))
  expect((await ready()).status).toBe(200)
  proxy.blackhole()
  await until('it is seen', async () => (await ready()).status === 503)
  own.drain()
  await own.close()
  await proxy.close()
})
