// Health, readiness and metrics: what they tell of an installation, who may see them, and that a database that is away only makes them red.
import { expect, test } from 'vitest'
import { apiOn } from '../../test/api.ts'
import { openMillrace } from '../../test/millrace.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { schedule } from '../sdk/schedule.ts'
import { Health, statusOf } from './health.ts'
import { listen } from './listen.ts'

const { database, opened } = await openMillrace()
const openApi = apiOn(database)
const echo = pipeline('echo').step('say', ({ input }) => input)

test('JQ-24 health is green while workers live, red where tasks wait for none, and red where a firing is overdue', async () => {
  let now = 0
  const { ask } = await openApi({ now: () => (now += 10_000) })
  const status = async () => (await ask({}, 'GET', '/health')).body
  expect(await status()).toMatchObject({
    status: 'green',
    reasons: [],
    db_connected: true,
    workers: 0,
    queue_depth: 0,
  })
  const client = opened.client()
  await client.start(echo, null)
  const waiting = await ask({}, 'GET', '/health')
  expect(waiting.status).toBe(503)
  expect(waiting.body).toMatchObject({ status: 'red', reasons: ['no_worker'], workers: 0, queue_depth: 1 })
  expect(waiting.body['queues']).toMatchObject([{ queue: 'default', ready: 1, held: 0 }])

  const worker = await opened.worker({ pipelines: [echo] })
  await client.run((await client.start(echo, null)).run!.id).result()
  expect(await status()).toMatchObject({ status: 'green', workers: 1 })
  await worker.stop()

  const nightly = schedule('nightly', { pipeline: echo, cron: '0 3 * * *', timezone: 'UTC' })
  const second = await opened.worker({ pipelines: [echo], triggers: [nightly] })
  await second.stop()
  await database.clock.advance('2 days')
  expect(await status()).toMatchObject({ status: 'red', reasons: ['firing_overdue'], overdue_firings: 1 })
})

test('PP-S9 health and metrics take a key with metrics:read, and no key at all from the same machine alone', async () => {
  const { ask, server } = await openApi()
  for (const path of ['/health', '/metrics']) {
    expect((await ask(null, 'GET', path)).status).toBe(401)
    expect((await ask({ role: 'viewer', scopes: ['runs:read'] }, 'GET', path)).status).toBe(403)
    expect((await ask({ role: 'viewer', tenant: 'acme' }, 'GET', path)).status).toBe(403)
    const own = (local: boolean) => server.fetch(new Request(`http://localhost${path}`), { local })
    expect((await own(false)).status).toBe(401)
    expect((await own(true)).status).toBe(200)
  }
  // What is local may look, and nothing else.
  expect((await server.fetch(new Request('http://localhost/runs'), { local: true })).status).toBe(401)
  const posted = new Request('http://localhost/metrics', { method: 'POST' })
  expect((await server.fetch(posted, { local: true })).status).toBe(405)
})

test('JQ-24 metrics tell what was answered, what was refused unseen, and how the installation is', async () => {
  const { ask, server } = await openApi()
  await ask({}, 'GET', '/runs')
  await ask(null, 'GET', '/runs')
  await ask(null, 'POST', '/webhooks/none', {})
  server.countMalformed(400)
  const text = await (await server.fetch(new Request('http://localhost/metrics'), { local: true })).text()
  expect(text).toContain('millrace_http_requests_total{operation="listRuns",status="200"} 1')
  expect(text).toContain('millrace_http_requests_total{operation="listRuns",status="401"} 1')
  expect(text).toContain('millrace_http_requests_total{operation="receiveDelivery",status="401"} 1')
  expect(text).toContain('millrace_http_malformed_total{status="400"} 1')
  expect(text).toMatch(/^millrace_http_request_seconds_count\{operation="listRuns"\} 2$/m)
  expect(text).toMatch(/^millrace_database_up 1$/m)
  expect(text).toMatch(/^millrace_workers 0$/m)
})

test('a server of webhooks alone tells its health, and describes no API that it does not serve', async () => {
  const { server } = await openApi({ parts: ['webhooks'] })
  const status = async (path: string) =>
    (await server.fetch(new Request(`http://localhost${path}`), { local: true })).status
  expect(await Promise.all(['/health/live', '/health', '/metrics'].map(status))).toEqual([200, 200, 200])
  expect(await Promise.all(['/openapi.json', '/reference', '/runs'].map(status))).toEqual([404, 404, 404])
})

test('B9 without its database a server lives, is not ready, and is red; it does not say why to everybody', async () => {
  const { server } = await openApi()
  const get = async (path: string) => {
    const response = await server.fetch(new Request(`http://localhost${path}`), { local: true })
    return [response.status, await response.json().catch(() => null)] as const
  }
  expect(await get('/health/ready')).toEqual([200, { status: 'ready' }])
  server.drain()
  expect(await get('/health/ready')).toEqual([503, { status: 'unready', reason: 'stopping' }])
  expect(await get('/health/live')).toEqual([200, { status: 'live' }])

  const away = { call: () => Promise.reject(new Error('connect ECONNREFUSED 10.1.2.3:5432')) }
  const health = new Health({ pool: undefined as never, reads: away, now: Date.now, schemaFits: true })
  expect(await health.readiness()).toEqual({ status: 'unready', reason: 'database_unreachable' })
  expect(await health.status()).toEqual(statusOf(undefined))
  expect(statusOf(undefined)).toMatchObject({
    status: 'red',
    reasons: ['database_away'],
    db_connected: false,
  })
})

test('probes are not counted: a load balancer asks as often as it likes, and liveness asks no database for it', async () => {
  const { server } = await openApi({ rateLimits: { addressPerMinute: 2, keyPerHour: 2 } })
  for (const path of ['/health/live', '/health/ready'])
    for (let asked = 0; asked < 10; asked++) {
      const { status } = await server.fetch(new Request(`http://localhost${path}`), {
        remoteAddress: '203.0.113.7',
      })
      expect(status).toBe(200)
    }
  const counted = await server.fetch(new Request('http://localhost/runs'), { remoteAddress: '203.0.113.7' })
  expect(counted.status).toBe(401)
})

test('many who ask for health cost one look at the database', async () => {
  let calls = 0
  let now = 0
  const counting = {
    call: <Row>() => {
      calls++
      return Promise.resolve([{ writes: false }] as Row[])
    },
  }
  const health = new Health({ pool: undefined as never, reads: counting, now: () => now, schemaFits: true })
  await Promise.all(Array.from({ length: 100 }, () => health.readiness()))
  expect(calls).toBe(1)
  now += 1_000
  expect(await health.readiness()).toEqual({ status: 'unready', reason: 'database_read_only' })
  expect(calls).toBe(2)
})

test('the reader of the API is a page without scripts, from this server alone', async () => {
  const { server } = await openApi({ basePath: '/api/millrace' })
  const listener = await listen(server.fetch, { port: 0 })
  try {
    const address = `http://127.0.0.1:${listener.port}/api/millrace`
    const page = await (await fetch(`${address}/reference`)).text()
    expect(page).toContain('startRun')
    expect(page).not.toMatch(/<script|<[^>]+\s(?:style|src|on\w+)=|href="(?!\/|#)/)
    const [, style] = /href="([^"]+\.css)"/.exec(page)!
    const sheet = await fetch(new URL(style!, address))
    expect([sheet.status, sheet.headers.get('content-type')]).toEqual([200, 'text/css; charset=utf-8'])
    const { servers } = (await (await fetch(`${address}/openapi.json`)).json()) as { servers: unknown }
    expect(servers).toEqual([{ url: '/api/millrace' }])
    // Beside where it is mounted there is nothing.
    expect((await fetch(`http://127.0.0.1:${listener.port}/openapi.json`)).status).toBe(404)
    expect((await fetch(`http://127.0.0.1:${listener.port}/api/millraceX/health/live`)).status).toBe(404)
  } finally {
    await listener.close()
  }
})
