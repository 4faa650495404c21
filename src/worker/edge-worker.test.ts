// A worker that lives within requests: what it runs, when it leaves, who may wake it, and what it answers when it can't work.
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { until } from '../../test/deadline.ts'
import { openMillrace } from '../../test/millrace.ts'
import { attemptsOf, runOf } from '../../test/protocol.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { schedule } from '../sdk/schedule.ts'
import { edgeWorker, type EdgeWorkerOptions } from './edge-worker.ts'

const { database, opened } = await openMillrace()
const secret = 'a secret of the test, long enough to be one'
const hits: string[] = []
let answer: (response: http.ServerResponse) => void
let server: http.Server
let scoring: ReturnType<typeof scoringAt>

beforeAll(async () => {
  process.env['MILLRACE_TEST_SECRET'] = secret
  server = http.createServer((request, response) => {
    hits.push(String(request.headers['idempotency-key']))
    request.resume()
    answer(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  scoring = scoringAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}/score`)
})
beforeEach(() => {
  hits.splice(0)
  answer = (response) => response.end('seen')
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
  delete process.env['MILLRACE_TEST_SECRET']
})

const scoringAt = (url: string) =>
  pipeline('edge-scoring', { retry: { attempts: 2, initial: '1ms', jitter: 'none' } })
    .http('ask', { url, secret: 'MILLRACE_TEST_SECRET', timeout: '1d', queue: 'edge' })
    .step('keep', ({ steps }) => `kept: ${String(steps.ask)}`)

const edge = (options: Partial<EdgeWorkerOptions> = {}) =>
  edgeWorker({
    database: database.url,
    pipelines: [scoring],
    secret,
    idleMs: 60,
    log: (entry) => opened.log.push(entry),
    ...options,
  })
const wake = (authorization = `Bearer ${secret}`, method = 'POST') =>
  new Request('https://project.example.org/functions/v1/millrace-worker', {
    method,
    headers: { authorization },
  })
const start = async () => (await opened.client().start(scoring, null)).run!.id
const alive = () => database.query(`select from millrace.worker where state <> 'gone'`)

test('an edge worker runs the http steps that wait, leaves everything else to other workers, and is gone when it answers', async () => {
  const runs = [await start(), await start()]
  const response = await edge()(wake())
  expect([response.status, await response.json()]).toEqual([200, { attempts: 2, ended: 'idle' }])
  expect(hits.map((key) => key.split(':')[0]).sort()).toEqual(runs.sort())
  expect(await alive()).toEqual([])
  expect(
    await database.query(
      `select distinct s.step as name from millrace.task t join millrace.step_definition s on s.id = t.step_id`,
    ),
  ).toEqual([{ name: 'keep' }])
  await opened.worker({ pipelines: [scoring] })
  expect(await opened.client().run(runs[0]!).result()).toBe('kept: seen')
  expect(await opened.client().run(runs[1]!).result()).toBe('kept: seen')
})

test('requests that come while it works share its shift, and one that comes as it leaves gets the next', async () => {
  const work = edge()
  const run = await start()
  const [first, second] = await Promise.all([work(wake()), work(wake())])
  expect(await first.json()).toEqual(await second.json())
  expect(hits).toHaveLength(1)
  const again = await work(wake())
  expect(await again.json()).toEqual({ attempts: 0, ended: 'idle' })
  const workers = await database.query(`select from millrace.worker where name = 'edge'`)
  expect(workers.length).toBeGreaterThanOrEqual(2)
  await opened.client().run(run).cancel()
})

test('what an endpoint has not answered when the time is over is given back, counts as no failure, and is asked again under the same key', async () => {
  let asked: () => void = () => {}
  const wasAsked = new Promise<void>((resolve) => (asked = resolve))
  answer = () => asked()
  const run = await start()
  let passedMs = 0
  const monotonic = () => performance.now() + passedMs
  const response = edge({ withinMs: 30_000, drainMs: 50, leaseSeconds: 60, monotonic })(wake())
  await Promise.race([wasAsked, response])
  passedMs = 30_000
  expect(await (await response).json()).toEqual({ attempts: 1, ended: 'time' })
  expect(await database.query('select failures from millrace.task where run_id = $1', [run])).toEqual([
    { failures: 0 },
  ])
  answer = (given) => given.end('at last')
  await edge()(wake())
  expect(hits).toEqual([hits[0], hits[0]])
  expect((await attemptsOf(database, run)).map(({ outcome }) => outcome)).toEqual(['released', 'completed'])
  await opened.client().run(run).cancel()
})

test('it retires no schedule that other workers registered', async () => {
  await opened.worker({
    pipelines: [scoring],
    triggers: [
      schedule('nightly-scores', { pipeline: scoring, cron: '0 3 * * *', timezone: 'UTC', input: null }),
    ],
  })
  await edge()(wake())
  expect(await database.query('select name, retired_at from millrace.schedule')).toEqual([
    { name: 'nightly-scores', retired_at: null },
  ])
})

test('a step of another kind on the queue of an edge worker is refused by name, because it would be run as well', async () => {
  const mixed = pipeline('edge-mixed').step('think', { queue: 'edge' }, () => 1)
  expect((await edge({ pipelines: [mixed] })(wake())).status).toBe(500)
  expect(opened.log.at(-1)!.message).toContain(
    "The step 'think' of pipeline 'edge-mixed' is of kind step and on queue 'edge'",
  )
})

test('only a POST with the secret wakes it, and a secret that is none is refused before anything is served', async () => {
  const work = edge()
  const refused = await Promise.all([
    work(wake('')),
    work(wake(`Bearer ${secret}x`)),
    work(wake('Bearer')),
    work(wake(`Bearer ${secret}`, 'GET')),
  ])
  expect(refused.map(({ status }) => status)).toEqual([401, 401, 401, 405])
  expect(refused[3]!.headers.get('allow')).toBe('POST')
  expect(await refused[0]!.json()).toMatchObject({ code: 'not_signed_in' })
  for (const given of [undefined, '', 'short'])
    expect(() => edge({ secret: given })).toThrow(expect.objectContaining({ code: 'worker_option_invalid' }))
  expect(() => edge({ kinds: ['htp' as 'http'] })).toThrow(/kinds must be of these: step, map/)
})

test('a database that is away is 503 within the time, one without the schema 500, and neither says more than a correlation id', async () => {
  const closed = new URL(database.url)
  closed.port = '1'
  const away = await edge({ database: closed.href, withinMs: 1_000, drainMs: 1_000 })(wake())
  expect([away.status, away.headers.get('retry-after')]).toEqual([503, '5'])
  const missing = new URL(database.url)
  missing.pathname = '/template1'
  const without = await edge({ database: missing.href })(wake())
  expect(without.status).toBe(500)
  for (const response of [away, without]) expect(await response.text()).not.toContain('"detail"')
  await until('both are told', () => opened.log.filter(({ level }) => level === 'error').length === 2)
  expect(await runOf(database, await start())).toMatchObject({ state: 'pending' })
})

test('a database that takes the connection and says nothing keeps no request for longer than its time', async () => {
  const connections: net.Socket[] = []
  let passedMs = 0
  const silent = net.createServer((connection) => {
    connections.push(connection)
    connection.on('error', () => {})
    passedMs = 30_000
  })
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const address = new URL(database.url)
  address.port = String((silent.address() as AddressInfo).port)
  const monotonic = () => performance.now() + passedMs
  const began = performance.now()
  const response = await edge({ database: address.href, withinMs: 30_000, drainMs: 50, monotonic })(wake())
  expect([response.status, performance.now() - began < 5_000]).toEqual([503, true])
  for (const connection of connections) connection.destroy()
  silent.close()
})
