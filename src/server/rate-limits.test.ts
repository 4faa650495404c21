// How many requests may come from an address or with a key, on one server or several.
import { afterEach, expect, test, vi } from 'vitest'
import { apiOn, type OpenedApi } from '../../test/api.ts'
import { until } from '../../test/deadline.ts'
import { countStatements, openMillrace } from '../../test/millrace.ts'
import { pipeline } from '../sdk/pipeline.ts'

const { database, opened } = await openMillrace()
const openApi = apiOn(database)
const echo = pipeline('limits-echo').step('say', () => 1)

afterEach(async () => {
  vi.useRealTimers()
  await database.query('truncate millrace.request_count')
})

async function statusesOf(
  api: OpenedApi,
  count: number,
  {
    address,
    headers = {},
    path = '/runs',
    method = 'GET',
  }: { address?: string; headers?: Record<string, string>; path?: string; method?: string },
): Promise<number[]> {
  const answers = await Promise.all(
    Array.from({ length: count }, () =>
      api.server.fetch(new Request(`http://millrace.test${path}`, { method, headers }), {
        remoteAddress: address,
      }),
    ),
  )
  return answers.map(({ status }) => status)
}

const countOf = (statuses: readonly number[], status: number): number =>
  statuses.filter((one) => one === status).length

async function keyOf(api: OpenedApi, body: object = {}): Promise<Record<string, string>> {
  const made = await api.ask({ kind: 'developer' }, 'POST', '/keys', { name: 'limited', ...body })
  return { authorization: `Bearer ${made.body['key']}` }
}

test('JQ-2 100 requests a minute from an address pass, over two servers together; then 429 says when the next one may come', async () => {
  const [one, two] = [await openApi(), await openApi()]
  const address = '203.0.113.1'
  const statuses = (
    await Promise.all([statusesOf(one, 70, { address }), statusesOf(two, 70, { address })])
  ).flat()
  expect(countOf(statuses, 401)).toBe(100)
  expect(countOf(statuses, 429)).toBe(40)
  const refused = await one.server.fetch(new Request('http://millrace.test/runs'), { remoteAddress: address })
  expect(refused.status).toBe(429)
  const seconds = Number(refused.headers.get('retry-after'))
  expect(seconds).toBeGreaterThanOrEqual(1)
  expect(seconds).toBeLessThanOrEqual(60)
  expect(await refused.json()).toMatchObject({ code: 'too_many_requests', fields: { limit: 100 } })
  // Others are not stopped with it.
  expect(await statusesOf(one, 1, { address: '203.0.113.2' })).toEqual([401])
})

test('JQ-2 a minute later the address may ask again', async () => {
  const api = await openApi({ rateLimits: { addressPerMinute: 3 } })
  const address = '203.0.113.3'
  expect(countOf(await statusesOf(api, 5, { address }), 429)).toBe(2)
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 })
  // What was refused is remembered as such for a second.
  await until('it may ask again', async () => (await statusesOf(api, 1, { address }))[0] === 401)
  expect(countOf(await statusesOf(api, 4, { address }), 429)).toBe(2)
})

test('FO-14 JQ-2 a key has 1,000 requests an hour or its own limit, from whatever address, on every server', async () => {
  const [one, two] = [await openApi(), await openApi()]
  const own = await keyOf(one, { requests_per_hour: 5 })
  const statuses = [
    ...(await statusesOf(one, 4, { headers: own, address: '203.0.113.4' })),
    ...(await statusesOf(two, 4, { headers: own, address: '203.0.113.5' })),
  ]
  expect(countOf(statuses, 200)).toBe(5)
  expect(countOf(statuses, 429)).toBe(3)
  const usual = await keyOf(one)
  await statusesOf(one, 1, { headers: usual })
  await database.query(`update millrace.request_count set points = 999 where key like 'key:%' and points = 1`)
  expect(countOf(await statusesOf(two, 3, { headers: usual }), 200)).toBe(1)
})

test('JQ-2 of a large limit servers take a thousandth at a time: never more than it, and hardly less', async () => {
  const [one, two] = [await openApi({ checkAnswers: false }), await openApi({ checkAnswers: false })]
  const headers = await keyOf(one, { requests_per_hour: 3_000 })
  const passed = { one: 0, two: 0 }
  for (let round = 0; round < 20; round++) {
    passed.one += countOf(await statusesOf(one, 90, { headers, path: '/keys?limit=1' }), 403)
    passed.two += countOf(await statusesOf(two, 90, { headers, path: '/keys?limit=1' }), 403)
  }
  expect(passed.one + passed.two).toBeLessThanOrEqual(3_000)
  expect(passed.one + passed.two).toBeGreaterThanOrEqual(3_000 - 6)
})

test('J6 wrong keys are counted by the address of whoever tries them, and a right one passes beside them', async () => {
  const api = await openApi({ rateLimits: { addressPerMinute: 10 } })
  const address = '203.0.113.6'
  const right = await keyOf(api)
  const wrong = { authorization: `Bearer mr_000000000000_${'A'.repeat(43)}` }
  const statuses = await statusesOf(api, 50, { headers: wrong, address })
  expect(countOf(statuses, 401)).toBe(10)
  expect(countOf(statuses, 429)).toBe(40)
  expect(await statusesOf(api, 1, { headers: right, address })).toEqual([200])
  // Where nobody knows from where they come, they are counted together.
  expect(countOf(await statusesOf(api, 12, { headers: wrong }), 429)).toBe(2)
})

test('J6 five hundred guesses of keys at once cost a few statements, and each gets its own answer', async () => {
  const api = await openApi()
  const right = await keyOf(api)
  const statements = countStatements()
  const guesses = Array.from({ length: 500 }, (_, n) => ({
    authorization: `Bearer mr_${n.toString(16).padStart(12, '0')}_${'A'.repeat(43)}`,
  }))
  const statuses = await Promise.all(
    [...guesses, right].map(
      async (headers, n) => (await statusesOf(api, 1, { headers, address: `203.0.${n % 250}.9` }))[0]!,
    ),
  )
  statements.stop()
  expect(statements.sent.filter((one) => one.includes('find_api_key')).length).toBeLessThan(5)
  expect([countOf(statuses, 401), statuses.at(-1)]).toEqual([500, 200])
})

test('J6 wrong keys are counted at event streams, probes and assets as well', async () => {
  const api = await openApi({ rateLimits: { addressPerMinute: 10 } })
  const headers = { authorization: `Bearer mr_000000000000_${'A'.repeat(43)}` }
  for (const [n, path] of ['/runs/events', '/health/live', '/reference/style.css'].entries()) {
    const statuses = await statusesOf(api, 15, { headers, address: `203.0.113.${16 + n}`, path })
    expect(countOf(statuses, 401)).toBe(10)
    expect(countOf(statuses, 429)).toBe(5)
  }
})

test('JQ-2 the heads of event streams are counted, and read nothing of the run but that it is there', async () => {
  await opened.client().start(echo, null)
  const api = await openApi({ rateLimits: { keyPerHour: 5 } })
  const headers = await keyOf(api)
  const [run] = await database.query<{ id: string }>('select id from millrace.run')
  const statements = countStatements()
  const path = `/runs/${run!.id}/events`
  const heads = await statusesOf(api, 20, { headers, path, method: 'HEAD' })
  statements.stop()
  expect([countOf(heads, 200), countOf(heads, 429)]).toEqual([5, 15])
  expect(statements.sent.filter((one) => one.includes('millrace_read_run'))).toEqual([])
})

test('JQ-2 a flood is counted by a few statements, and probes not at all', async () => {
  const api = await openApi()
  const statements = countStatements()
  await statusesOf(api, 500, { address: '203.0.113.7' })
  statements.stop()
  expect(statements.sent.filter((one) => one.includes('request_count')).length).toBeLessThan(10)
  const [row] = await database.query<{ points: number }>(
    `select points from millrace.request_count where key = 'address:203.0.113.7'`,
  )
  // Requests that come while it is refused are not even counted.
  expect(row!.points).toBeGreaterThan(100)
  expect(await statusesOf(api, 300, { address: '203.0.113.8', path: '/health/live' })).not.toContain(429)
  expect(await database.query(`select from millrace.request_count where key like '%113.8'`)).toEqual([])
})

test('JQ-2 while the counts cannot be written each server counts by itself', async () => {
  const api = await openApi({ rateLimits: { addressPerMinute: 5 } })
  await database.query('alter table millrace.request_count rename to request_count_away')
  try {
    const statuses = await statusesOf(api, 8, { address: '203.0.113.9' })
    expect(countOf(statuses, 429)).toBe(3)
    expect(countOf(statuses, 401)).toBe(5)
  } finally {
    await database.query('alter table millrace.request_count_away rename to request_count')
  }
})
