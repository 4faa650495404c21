// What holds for every request and answer: bounds, origins, what browsers may do with an answer, and what is told of errors.
import { expect, test } from 'vitest'
import { apiOn } from '../../test/api.ts'
import { openMillrace } from '../../test/millrace.ts'
import { operationList } from '../api/catalogue.ts'
import { innerCodes, statusByCode } from '../api/problem.ts'
import { catalogue, type ErrorCode, MillraceError } from '../core/errors.ts'
import { problemAnswer } from './problem-answer.ts'
import type { ServerLogEntry } from './server-log.ts'
import { createTransport } from './transport.ts'

const { database } = await openMillrace()
const openApi = apiOn(database)
const page = 'https://app.example.org'

test('PP-S5 K6 an origin of the list is named, and every other one gets no CORS header, in answers and in preflights', async () => {
  const { ask, server } = await openApi({ allowedOrigins: [page] })
  const corsHeaders = (headers: Headers) =>
    [...headers.keys()].filter((name) => name.startsWith('access-control-'))
  const preflight = (origin: string) =>
    server.fetch(
      new Request('http://millrace.test/runs', {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST' },
      }),
    )
  const asked = await ask({}, 'GET', '/runs', undefined, { origin: page })
  expect(asked.headers.get('access-control-allow-origin')).toBe(page)
  expect(asked.headers.get('vary')).toContain('origin')
  expect(asked.headers.has('access-control-allow-credentials')).toBe(false)
  const answered = await preflight(page)
  expect(answered.status).toBe(204)
  expect(answered.headers.get('access-control-allow-origin')).toBe(page)
  expect(answered.headers.get('access-control-allow-methods')).toContain('PATCH')

  for (const origin of [
    'null',
    '*',
    'http://app.example.org',
    'https://app.example.org:8443',
    'https://app.example.org.evil.example',
    'https://evil-app.example.org',
    'https://sub.app.example.org',
    'https://APP.example.org',
    `${page}/`,
    `${page} https://evil.example`,
  ]) {
    const foreign = await ask({}, 'GET', '/runs', undefined, { origin })
    expect(corsHeaders(foreign.headers), origin).toEqual([])
    const refused = await preflight(origin)
    expect([refused.status, corsHeaders(refused.headers)], origin).toEqual([403, []])
    expect(await refused.json(), origin).toMatchObject({
      detail: expect.stringContaining(`Pages of '${origin}' may not ask`),
    })
  }
})

test('PP-S5 without a list nobody else may ask', async () => {
  const { ask } = await openApi()
  const { headers } = await ask({}, 'GET', '/runs', undefined, { origin: page })
  expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
})

test('each answer is kept out of frames and from being taken for something else, and has its correlation id', async () => {
  const { ask } = await openApi({ url: 'https://millrace.example.org' })
  for (const path of ['/runs', '/nowhere', '/health/live', '/reference', '/openapi.json']) {
    const { headers } = await ask({}, 'GET', path).catch(() => ask({}, 'HEAD', path))
    expect(headers.get('x-content-type-options'), path).toBe('nosniff')
    expect(headers.get('x-frame-options'), path).toBe('DENY')
    expect(headers.get('content-security-policy'), path).toMatch(
      /^default-src 'none';.*frame-ancestors 'none'/,
    )
    expect(headers.get('content-security-policy'), path).not.toContain('unsafe-inline')
    expect(headers.get('strict-transport-security'), path).toContain('max-age=')
    expect(headers.get('x-correlation-id'), path).toMatch(/^[0-9a-f-]{36}$/)
  }
})

test('H4 an address of more than 2,048 characters gets 414', async () => {
  const { ask } = await openApi()
  expect((await ask({}, 'GET', `/runs?key=${'x'.repeat(2_039)}`)).status).toBe(414)
  expect((await ask({}, 'GET', `/runs?key=${'x'.repeat(400)}`)).status).toBe(200)
})

test('H4 a body beyond its limit gets 413, a compressed one and one that is no JSON 415, a broken one 400', async () => {
  const { ask, server } = await openApi()
  const actor = { role: 'admin' as const }
  const big = { pipeline: 'echo', input: 'x'.repeat(1_048_576) }
  expect((await ask(actor, 'POST', '/runs', big)).status).toBe(413)
  expect((await ask(actor, 'POST', '/runs', {}, { 'content-encoding': 'gzip' })).status).toBe(415)
  expect((await ask(actor, 'POST', '/runs', {}, { 'content-type': 'text/plain' })).status).toBe(415)
  const { headers } = await ask(actor, 'GET', '/runs')
  expect(headers.get('content-type')).toBe('application/json')
  const deep = `${'['.repeat(200)}${']'.repeat(200)}`
  const nested = await ask(actor, 'POST', '/runs', { pipeline: 'echo', input: JSON.parse(deep) as unknown })
  expect([nested.status, nested.body['code']]).toEqual([400, 'request_invalid'])
  expect(operationList.every(({ bodyBytesMax = 0 }) => bodyBytesMax <= 10_485_760)).toBe(true)
  expect(server.fetch).toBeTypeOf('function')
})

test('H5 a NUL, a broken escape or a half of a character is refused wherever a request holds it, and never the fault of the server', async () => {
  const { ask, log } = await openApi({ rateLimits: false })
  const run = '0198f5d0-0000-7000-8000-000000000000'
  const odd = [
    '%00',
    'a%00b',
    '%zz',
    '%',
    '%c3',
    '%ed%a0%80',
    '%2e%2e%2f',
    '%F0%9F%98%80',
    '%0d%0aset-cookie:x',
    '%22;drop',
  ]
  for (const text of odd)
    for (const path of [
      `/runs/${text}`,
      `/pipelines/${text}`,
      `/schedules/${text}`,
      `/limits/${text}`,
      `/secrets/${text}`,
      `/webhooks/${text}`,
      `/runs/${run}/artifacts/${text}`,
      `/runs?key=${text}`,
      `/runs?tenant=${text}`,
      `/runs?fingerprint=${text}`,
      `/dead-letters?pipeline=${text}`,
      `/dead-letters?tenant=${text}`,
    ]) {
      const { status } = await ask({}, 'GET', path)
      expect(status, path).toBeLessThan(429)
    }
  const bodies = [
    { pipeline: 'echo', input: 'a\u0000b' },
    { pipeline: 'echo', tenant: 'a\u0000b' },
    { pipeline: 'echo', headers: { a: '\u0000' } },
  ]
  for (const body of bodies) {
    const { status } = await ask({}, 'POST', '/runs', body)
    expect([400, 404, 422], JSON.stringify(body)).toContain(status)
  }
  expect(log.filter(({ level }) => level === 'error')).toEqual([])
})

test('however many requests are under way, a probe is answered: who is told that it does not live ends all of them', async () => {
  let end = () => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  const isProbe = (request: Request) => request.url.endsWith('/health/live')
  const transport = createTransport(
    { allowedOrigins: [], strict: false, isProbe },
    async (request) => {
      if (!isProbe(request)) await ended
      return new Response()
    },
    () => new Response(null, { status: 503 }),
  )
  const origin = { address: undefined, secure: false, local: false, correlationId: 'x', userAgent: undefined }
  const ask = (path: string) => transport(new Request(`http://millrace.test${path}`), origin)
  const under = Array.from({ length: 2_000 }, () => ask('/runs'))
  expect((await ask('/runs')).status).toBe(503)
  expect((await ask('/health/live')).status).toBe(200)
  end()
  expect((await Promise.all(under)).every(({ status }) => status === 200)).toBe(true)
})

test('another method than those of an address gets 405 with those that it takes', async () => {
  const { ask } = await openApi()
  const answer = await ask({}, 'PATCH', '/runs')
  expect([answer.status, answer.body['code']]).toEqual([405, 'method_not_allowed'])
  expect(answer.headers.get('allow')?.split(', ').sort()).toEqual(expect.arrayContaining(['GET', 'POST']))
})

test('PP-S14 what has no status of its own is answered as a correlation id alone, and is in the log under it', async () => {
  const log: ServerLogEntry[] = []
  const inner = 'relation "millrace.secret" does not exist at 10.1.2.3:5432'
  const answer = problemAnswer(new Error(inner), 'b0a7', (entry) => log.push(entry))
  const text = await answer.text()
  expect(answer.status).toBe(500)
  expect(text).not.toContain('millrace.secret')
  expect(text).not.toContain('10.1.2.3')
  expect(JSON.parse(text)).toMatchObject({ code: 'server_failed', correlation_id: 'b0a7' })
  expect(log).toMatchObject([{ level: 'error', correlation_id: 'b0a7', error: inner }])
})

test('PP-S14 of an error of the database the log holds the code, the state and where it came up, and not its text', () => {
  const row = Object.assign(new Error('Failing row contains (a payload).'), {
    severity: 'ERROR',
    code: '23514',
  })
  const full = Object.assign(new Error('a payload does not fit'), { severity: 'ERROR', code: '53100' })
  const raised = new MillraceError('command_invalid', 'It says a payload.', { cause: row })
  const log: ServerLogEntry[] = []
  for (const error of [row, raised, full]) problemAnswer(error, 'b0a7', (entry) => log.push(entry))
  expect(log).toMatchObject([
    { event: 'request.failed', sql_state: '23514', stack: expect.stringMatching(/^ +at /) },
    { event: 'request.failed', sql_state: '23514', code: 'command_invalid' },
    { event: 'database.away', sql_state: '53100' },
  ])
  expect(JSON.stringify(log)).not.toContain('payload')
})

test('B6 B9 a database that is away, full, out of disk or read-only is answered 503 with retry-after, without its address', async () => {
  const disk = Object.assign(new Error('could not extend file "base/1/2": No space left on device'), {
    severity: 'ERROR',
    code: '53100',
  })
  const away = (code: ErrorCode) =>
    new MillraceError(code, 'No connection to PostgreSQL at db.internal:5432/app.')
  for (const error of [
    disk,
    away('database_unreachable'),
    away('database_full'),
    away('database_read_only'),
    away('schema_outdated'),
  ]) {
    const log: ServerLogEntry[] = []
    const answer = problemAnswer(error, 'b0a7', (entry) => log.push(entry))
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
    const text = await answer.text()
    expect(text).not.toMatch(/db\.internal|base\/1/)
    expect(JSON.parse(text)).toMatchObject({ code: 'server_unavailable' })
    expect(log).toMatchObject([{ level: 'warn', event: 'database.away' }])
  }
})

test('PP-S14 every code of the catalogue has a status, or is one of the inside, and what an operation tells has one', () => {
  const codes = Object.keys(catalogue) as ErrorCode[]
  expect(codes.filter((code) => (statusByCode[code] === undefined) !== innerCodes.has(code))).toEqual([])
  const told = operationList.flatMap(({ errors = [] }) => errors)
  expect([...new Set(told)].filter((code) => statusByCode[code] === undefined)).toEqual([])
})
