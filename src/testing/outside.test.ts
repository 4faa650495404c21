// The world outside of a test engine: what callbacks and pings would send is noted and answered by the test, and no address is called.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createEngine } from '../../test/engine.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { schedule } from '../sdk/schedule.ts'
import type { TestEngine } from './engine.ts'

const engines: TestEngine[] = []

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.close()))
})

async function engineFor(...given: Parameters<typeof createEngine>): Promise<TestEngine> {
  const engine = await createEngine(...given)
  engines.push(engine)
  return engine
}

const report = pipeline('report').step('write', () => 'written')

test('the pings of a schedule call nobody, and are told to the test', async () => {
  const nightly = schedule('nightly', {
    pipeline: report,
    cron: '@daily',
    ping: { url: 'https://check.example/7' },
  })
  const engine = await engineFor([report], { triggers: [nightly] })
  await engine.advance('1d')
  const [firing] = await engine.client.schedules.firings('nightly')
  expect(firing?.state).toBe('completed')
  expect(engine.sent.map(({ url }) => url)).toEqual([
    `https://check.example/7/start?rid=${firing?.runId}`,
    `https://check.example/7?rid=${firing?.runId}`,
  ])
  expect(engine.sent[1]?.body).toContain("Schedule 'nightly'")
})

test('a callback is answered by the test, and tried again in the time of the engine', async () => {
  const statuses = [503, 200]
  const at: Date[] = []
  const engine = await engineFor([report], {
    encryptionKeys: { only: Buffer.alloc(32, 7).toString('base64') },
    outside: () => {
      at.push(engine.now())
      return new Response(null, { status: statuses.shift()! })
    },
  })
  await engine.client.secrets.set('hooks', { value: 'whsec_bWlsbHJhY2UgdGVzdCBlbmdpbmU=' })
  const callback = { url: 'https://hooks.example/runs', secret: 'hooks' }
  const run = await engine.start(report, null, { callback })
  expect(await engine.result(run)).toBe('written')
  await engine.advance('1m')
  expect(engine.sent.map(({ url, method }) => [url, method])).toEqual([
    [callback.url, 'POST'],
    [callback.url, 'POST'],
  ])
  expect(JSON.parse(engine.sent[0]!.body)).toMatchObject({ type: 'run.completed', data: { run: run.id } })
  expect(engine.sent[0]!.headers).toHaveProperty('webhook-signature')
  expect(at[1]!.getTime() - at[0]!.getTime()).toBe(10_000)
  expect((await engine.client.callbacks.list()).map(({ state }) => state)).toEqual(['delivered'])
})

test('an address of the inside is refused as the configuration has it, and reached where the test says so', async () => {
  const heard: string[] = []
  const server = createServer((request, response) => {
    heard.push(request.url ?? '')
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const inside = pipeline('inside', { callback: { url: `${origin}/hook`, secret: 'hooks' } }).step(
    'only',
    () => 1,
  )
  await expect(createEngine([inside])).rejects.toMatchObject({ code: 'target_refused' })
  const watched = schedule('watched', { pipeline: report, cron: '@daily', ping: { url: `${origin}/ping` } })
  const engine = await engineFor([report, inside], {
    triggers: [watched],
    allowTargets: [origin],
    outside: fetch,
  })
  await engine.advance('1d')
  expect(heard.map((path) => path.split('?')[0])).toEqual(['/ping/start', '/ping'])
  server.closeAllConnections()
  server.close()
})

test('a ping that nobody answers is named by what it is', async () => {
  const silent = schedule('silent', {
    pipeline: report,
    cron: '@daily',
    ping: { url: 'https://check.example/7' },
  })
  const engine = await engineFor([report], {
    triggers: [silent],
    patienceMs: 1_000,
    log: () => {},
    outside: () => new Promise<Response>(() => {}),
  })
  await expect(engine.advance('1d')).rejects.toMatchObject({
    code: 'test_engine_stuck',
    message: "What is due of 'ping' has not ended for 1000 ms.",
  })
})
