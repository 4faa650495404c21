// The server within applications: each hands on what is below its path, with bodies as they came, and keeps the rest.
import { randomBytes } from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { standardHeaders } from '../../test/webhook-sender.ts'
import { connect } from '../../src/sdk/client.ts'
import { openServer, type Server, type ServerOptions } from '../../src/server/index.ts'
import { expressApp } from './express-app.ts'
import { fastifyApp } from './fastify-app.ts'
import { honoApp } from './hono-app.ts'
import { basePath, serverOptions } from './options.ts'

const secret = `whsec_${Buffer.alloc(32, 5).toString('base64')}`
let database: TestDatabase
let millrace: Server
const kept: Server[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  vi.stubEnv('MILLRACE_ENCRYPTION_KEYS', `k1:${randomBytes(32).toString('base64')}`)
  vi.stubEnv('DATABASE_URL', database.url)
  const client = connect({ database: database.url })
  await client.secrets.set('hooks/people', { value: secret })
  await client.close()
  millrace = await openServer(serverOptions(database.url))
})
afterAll(async () => {
  vi.unstubAllEnvs()
  for (const server of [millrace, ...kept]) await server.close()
  await database.close()
})

type Ask = (path: string, init?: RequestInit) => Promise<Response>

/** Health, the description, a door that is shut, and a body that has to come as its sender signed it. */
async function expectMounted(name: string, ask: Ask): Promise<void> {
  expect(await (await ask(`${basePath}/health/live`)).json()).toEqual({ status: 'live' })
  expect(await (await ask(`${basePath}/openapi.json`)).json()).toMatchObject({ servers: [{ url: basePath }] })
  const shut = await ask(`${basePath}/runs`)
  expect([shut.status, shut.headers.get('x-content-type-options')]).toEqual([401, 'nosniff'])
  const body = JSON.stringify({ from: name, text: 'é'.repeat(50_000) })
  const headers = standardHeaders(body, { id: name, secret })
  expect((await ask(`${basePath}/webhooks/people`, { method: 'POST', body, headers })).status).toBe(202)
  const [{ runs }] = (await database.query<{ runs: number }>(
    `select count(*)::int as runs from millrace.run where input ->> 'from' = $1`,
    [name],
  )) as [{ runs: number }]
  expect(runs).toBe(1)
}

/** Over a socket, as a browser would. */
async function listening(listener: RequestListener, use: (ask: Ask) => Promise<void>): Promise<void> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    await use((path, init) => fetch(`http://127.0.0.1:${port}${path}`, init))
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

/** Such an entry keeps its server for as long as its process lives; here the test closes it. */
async function entryOf<Entry>(load: () => Promise<Entry>): Promise<Entry> {
  vi.doMock('../../src/server/index.ts', () => ({
    openServer: async (options: ServerOptions) => {
      const server = await openServer(options)
      kept.push(server)
      return server
    },
  }))
  try {
    return await load()
  } finally {
    vi.doUnmock('../../src/server/index.ts')
  }
}

test('mounted in Hono', async () => {
  const app = honoApp(millrace)
  await listening(
    getRequestListener(app.fetch, { overrideGlobalObjects: false }) as RequestListener,
    async (ask) => {
      await expectMounted('hono', ask)
      expect(await (await ask('/')).text()).toBe('the application')
    },
  )
})

test('mounted in Express, before its parser of bodies', async () => {
  await listening(expressApp(millrace), async (ask) => {
    await expectMounted('express', ask)
    expect(await (await ask('/')).text()).toBe('the application')
  })
})

test('mounted in Fastify, in a scope without parsers', async () => {
  const app = await fastifyApp(millrace)
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  try {
    await expectMounted('fastify', (path, init) => fetch(`${address}${path}`, init))
    expect(await (await fetch(address)).text()).toBe('the application')
  } finally {
    await app.close()
  }
})

test('mounted as a route of Next.js', async () => {
  const route = await entryOf(() => import('./next-route.ts'))
  await expectMounted('next', (path, init = {}) => {
    const handler = route[(init.method ?? 'GET') as 'GET' | 'POST']
    return handler(new Request(`http://localhost${path}`, init))
  })
})

test('mounted in Deno, and in an edge function of Supabase', async () => {
  let handler: ((request: Request, info: object) => Promise<Response>) | undefined
  vi.stubGlobal('Deno', {
    env: { get: (name: string) => process.env[name] },
    serve: (given: typeof handler) => (handler = given),
  })
  try {
    await entryOf(() => import('./deno-function.ts'))
    await expectMounted('deno', (path, init) =>
      handler!(new Request(`http://localhost${path}`, init), { remoteAddr: { hostname: '203.0.113.7' } }),
    )
    expect(
      await database.query(`select host(source_ip) as ip from millrace.delivery where provider_id = 'deno'`),
    ).toEqual([{ ip: '203.0.113.7' }])
  } finally {
    vi.unstubAllGlobals()
  }
})
