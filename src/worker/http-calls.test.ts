// Steps that ask an endpoint: answered at once, later by a token, with refusals, or never.
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { until } from '../../test/deadline.ts'
import { openMillrace } from '../../test/millrace.ts'
import { attemptsOf, runOf } from '../../test/protocol.ts'
import type { MillraceError, StepError } from '../core/errors.ts'
import { pipeline } from '../sdk/pipeline.ts'
import type { Startable } from '../sdk/startable.ts'
import type { HeldTask } from './held-task.ts'
import { HttpCalls } from './http-calls.ts'
import { signatureOf } from './http-request.ts'

interface Hit {
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

type Answer = (hit: Hit, response: http.ServerResponse) => void

const { database, opened } = await openMillrace()
let server: http.Server
let origin: string
let answer: Answer
const hits: Hit[] = []
const secret = 'a secret of the test'

beforeAll(async () => {
  process.env['MILLRACE_TEST_SECRET'] = secret
  server = http.createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString('utf8')))
    request.on('end', () => {
      const hit = { path: request.url ?? '', headers: request.headers, body }
      hits.push(hit)
      answer(hit, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
beforeEach(() => hits.splice(0))
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  delete process.env['MILLRACE_TEST_SECRET']
})

const json = (response: http.ServerResponse, status: number, value: unknown, headers = {}) => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(value))
}
const asking = (
  slug: string,
  path: string,
  timeout: '2h' | '50ms' | '1d' = '1d',
  headers: Readonly<Record<string, string>> = { 'x-own': 'yes' },
) =>
  pipeline(slug, { retry: { attempts: 2, initial: '1h', jitter: 'none' } }).http('ask', {
    url: `${origin}${path}?key=hidden`,
    secret: 'MILLRACE_TEST_SECRET',
    timeout,
    headers,
    body: ({ run }) => ({ about: run.pipeline }),
  })
/** Its run fails: with what stored error, after how many attempts. */
const failureOf = async (asks: Startable) => {
  await opened.worker({ pipelines: [asks as never] })
  const client = opened.client()
  const { run } = await client.start(asks, null as never)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({ code: 'run_failed' })
  const rows = await database.query<{ error: StepError }>(
    'select error from millrace.attempt where run_id = $1 order by attempt',
    [run!.id],
  )
  return { error: rows.at(-1)!.error, attempts: rows.length }
}
const complete = (token: unknown, result: unknown, error: unknown = null) =>
  database.query('select millrace.complete_wait($1, $2::jsonb, $3::jsonb)', [
    token,
    error === null ? JSON.stringify(result) : null,
    error === null ? null : JSON.stringify(error),
  ])

test('an endpoint gets a signed request that says who asks, and what it answers at once is the output', async () => {
  answer = (_hit, response) => json(response, 200, { score: 7 })
  const scoring = asking('scoring', '/score')
  await opened.worker({ pipelines: [scoring] })
  const client = opened.client()
  const { run } = await client.start(scoring, null)
  expect(await client.run(run!.id).result()).toEqual({ score: 7 })
  const [{ headers, body }] = hits as [Hit]
  expect(JSON.parse(body)).toEqual({ about: 'scoring' })
  expect(headers).toMatchObject({
    'millrace-run': run!.id,
    'millrace-pipeline': 'scoring',
    'millrace-step': 'ask',
    'millrace-attempt': '1',
    'idempotency-key': `${run!.id}:ask:http#1`,
    'x-own': 'yes',
  })
  const timestamp = Number(/^t=(\d+),/.exec(String(headers['millrace-signature']))![1])
  expect(headers['millrace-signature']).toBe(signatureOf(secret, timestamp, body))
  // An answer by the token comes too late.
  await expect(complete(headers['millrace-token'], 'again')).rejects.toMatchObject({ code: 'MR017' })
  expect(await attemptsOf(database, run!.id)).toHaveLength(1)
})

test('an endpoint that takes the request answers later by its token, once, also before the step has parked', async () => {
  answer = ({ headers }, response) => {
    // The answer by the token overtakes the one to the request.
    const first =
      headers['millrace-pipeline'] === 'overtaking' ? complete(headers['millrace-token'], 'early') : null
    void Promise.resolve(first).then(() => response.writeHead(202).end())
  }
  const later = asking('later', '/later')
  const overtaking = asking('overtaking', '/later')
  await opened.worker({ pipelines: [later, overtaking], slots: 1 })
  const client = opened.client()
  const { run } = await client.start(later, null)
  await until('it waits', async () => (await runOf(database, run!.id)).state === 'waiting')
  await expect(complete('wrong', 1)).rejects.toMatchObject({ code: 'MR017' })
  const quick = await client.start(overtaking, null)
  expect(await client.run(quick.run!.id).result()).toBe('early')
  await complete(hits[0]!.headers['millrace-token'], { rows: 3 })
  expect(await client.run(run!.id).result()).toEqual({ rows: 3 })
  await expect(complete(hits[0]!.headers['millrace-token'], 4)).rejects.toMatchObject({ code: 'MR017' })
  expect(hits).toHaveLength(2)
})

test('an error that comes by the token fails the step for good', async () => {
  answer = (_hit, response) => void response.writeHead(202).end()
  const later = asking('fails-later', '/later')
  await opened.worker({ pipelines: [later] })
  const client = opened.client()
  const { run } = await client.start(later, null)
  await until('it waits', async () => (await runOf(database, run!.id)).state === 'waiting')
  await complete(hits[0]!.headers['millrace-token'], null, { message: 'no such customer' })
  await expect(client.run(run!.id).result()).rejects.toMatchObject({
    message: expect.stringContaining('no such customer'),
    fields: { error: { code: 'http_refused', retryable: false } },
  })
})

test('PP-C4 an endpoint that never completes what it took fails the step when the time is over, by the clock of the database', async () => {
  answer = (_hit, response) => void response.writeHead(202).end()
  const never = asking('never', '/never', '2h')
  const worker = await opened.worker({ pipelines: [never], leaseSeconds: 3_600 })
  const client = opened.client()
  const { run } = await client.start(never, null)
  await until('it waits', async () => (await runOf(database, run!.id)).state === 'waiting')
  await database.clock.advance('121 minutes')
  await worker.tick()
  const error = await client
    .run(run!.id)
    .result()
    .catch((thrown: Error) => thrown)
  expect(error).toMatchObject({ fields: { error: { code: 'http_timeout' } } })
  expect((error as Error).message).not.toContain('hidden')
})

test('PP-C4 C6 a target that hangs delays no other result, and fails by itself when its time is over', async () => {
  const hanging = asking('hanging', '/hang', '50ms')
  const quick = pipeline('quick', { retry: { attempts: 1 } }).http('ask', {
    url: `${origin}/quick`,
    secret: 'MILLRACE_TEST_SECRET',
    timeout: '1d',
  })
  const patient = asking('patient', '/hang')
  answer = ({ path }, response) => {
    if (path === '/quick') json(response, 200, 'quick')
  }
  await opened.worker({ pipelines: [hanging, quick, patient], slots: 4 })
  const client = opened.client()
  // Two slots hang, one of them for a day.
  const slow = await client.start(patient, null)
  const timed = await client.start(hanging, null)
  // On a busy machine the time of the second one may be over before it is sent.
  await until(
    'both are asked',
    async () => hits.length + (await attemptsOf(database, timed.run!.id)).length >= 2,
  )
  const runs = await client.startMany(
    quick,
    Array.from({ length: 20 }, () => null),
  )
  const outputs = await Promise.all(runs.map(({ run }) => client.run(run!.id).result()))
  expect(outputs).toEqual(Array.from({ length: 20 }, () => 'quick'))
  expect(await attemptsOf(database, slow.run!.id)).toEqual([])
  await until('the failure', async () => (await attemptsOf(database, timed.run!.id)).length === 1)
  const [attempt] = await database.query<{ error: { code: string } }>(
    'select error from millrace.attempt where run_id = $1',
    [timed.run!.id],
  )
  expect(['http_failed', 'attempt_timeout']).toContain(attempt!.error.code)
})

test('a status that may pass is tried again, when the endpoint said where it said so; any other refuses for good', async () => {
  answer = ({ path }, response) => {
    if (path.startsWith('/busy')) {
      if (hits.length === 1) json(response, 503, 'later', { 'retry-after': '90' })
      else json(response, 200, 'done')
    } else json(response, 422, 'no such field')
  }
  const busy = asking('busy', '/busy')
  const refusing = asking('refusing', '/refuse')
  await database.clock.freeze()
  const worker = await opened.worker({ pipelines: [busy, refusing], leaseSeconds: 3_600 })
  const client = opened.client()
  const { run } = await client.start(busy, null)
  await until('the first attempt', async () => (await attemptsOf(database, run!.id)).length === 1)
  const [waiting] = await database.query<{ seconds: number }>(
    'select extract(epoch from available_at - millrace.now())::float8 as seconds from millrace.waiting_task where run_id = $1',
    [run!.id],
  )
  expect(waiting!.seconds).toBe(90)
  await database.clock.advance('91 seconds')
  await worker.tick()
  expect(await client.run(run!.id).result()).toBe('done')
  expect(hits.map(({ headers }) => headers['idempotency-key'])).toEqual(
    Array.from({ length: 2 }, () => `${run!.id}:ask:http#1`),
  )
  expect(hits[0]!.headers['millrace-token']).toBe(hits[1]!.headers['millrace-token'])
  const refused = await client.start(refusing, null)
  await expect(client.run(refused.run!.id).result()).rejects.toMatchObject({
    message: expect.stringContaining('status 422: "no such field"'),
    fields: { error: { code: 'http_refused', retryable: false } },
  })
})

test('an endpoint that says in its refusal what it was sent puts no secret into the stored error', async () => {
  const sent = 'Bearer a-key-of-the-caller'
  answer = ({ headers }, response) => {
    const { authorization, 'millrace-token': token, 'millrace-signature': signature } = headers
    const encoded = Buffer.from(String(token)).toString('base64')
    const said = { authorization, token, secret, encoded, own: headers['x-own'], signature }
    json(response, 422, { said, key: 'a-key-of-the-caller', v1: String(signature).slice(-64) })
  }
  const echoing = pipeline('echoing', { retry: { attempts: 1 } }).http('ask', {
    url: `${origin}/echo`,
    secret: 'MILLRACE_TEST_SECRET',
    timeout: '1m',
    headers: { authorization: sent, 'x-own': 'yes' },
  })
  await opened.worker({ pipelines: [echoing] })
  const client = opened.client()
  const { run } = await client.start(echoing, null)
  await expect(client.run(run!.id).result()).rejects.toMatchObject({
    fields: { error: { code: 'http_refused' } },
  })
  const [{ error }] = (await database.query<{ error: string }>(
    'select error::text from millrace.attempt where run_id = $1',
    [run!.id],
  )) as [{ error: string }]
  expect(error).toContain('[secret authorization]')
  expect(error).toContain('[secret MILLRACE_TEST_SECRET]')
  expect(error).toContain('yes')
  const [{ headers }] = hits as [Hit]
  for (const hidden of [
    'a-key-of-the-caller',
    secret,
    headers['millrace-token'],
    String(headers['millrace-signature']).slice(-64),
  ])
    expect(error).not.toContain(hidden)
})

test('what an endpoint says of a credential in a shorter, a decoded or no text form is taken out as well', async () => {
  answer = (_hit, response) =>
    json(response, 422, {
      me: 'caller:pass phrase',
      word: 'pass phrase',
      key: 'abc1234',
      n: 12345,
      of: 'hidden',
    })
  const basic = Buffer.from('caller:pass phrase').toString('base64')
  const echoing = asking('echoing-short', '/echo', '1d', {
    authorization: `Basic ${basic}`,
    'x-api-key': 'abc1234',
    'x-token': 12_345 as unknown as string,
    'x-own': 'of',
  })
  const { error } = await failureOf(echoing)
  expect(error).toMatchObject({ code: 'http_refused', retryable: false })
  for (const hidden of ['caller', 'pass', 'phrase', 'abc1234', '12345', 'hidden'])
    expect(error.message).not.toContain(hidden)
  for (const name of ['authorization', 'x-api-key', 'x-token', 'key'])
    expect(error.message).toContain(`[secret ${name}]`)
  expect(error.message).toContain('"of"')
})

test('an answer that is no JSON tells nothing of the credential that it quotes, however long that is', async () => {
  const key = `key-${'k'.repeat(200)}`
  answer = ({ path, headers }, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    const { authorization } = headers
    response.end(path.startsWith('/number') ? `{"${authorization}":9007199254740993}` : authorization)
  }
  for (const [slug, path, message] of [
    ['quoting-a-number', '/number', `at ["[secret authorization]"], it is an integer beyond 2^53`],
    ['quoting-no-json', '/text', 'is not JSON'],
  ] as const) {
    const asks = pipeline(slug, { retry: { attempts: 1 } }).step('ask', async ({ durable }) => {
      const headers = { authorization: `Bearer ${key}` }
      const request = {
        url: `${origin}${path}`,
        secret: 'MILLRACE_TEST_SECRET',
        timeout: '1m',
        headers,
      } as const
      await durable.http(request).catch((error: MillraceError) => {
        expect(`${error.hint} ${String(error.cause)}`).not.toContain('Bear')
        throw error
      })
    })
    const { error } = await failureOf(asks)
    expect(error).toMatchObject({ code: 'json_invalid', message: expect.stringContaining(message) })
    expect(error.message).not.toContain('kkkk')
  }
})

test.each([
  ['a-name-and-a-password', 'http://user:hunter2@127.0.0.1:1/a?key=hunter2', {}],
  ['a-password', 'http://:hunter2@127.0.0.1:1/a', {}],
  ['no-scheme', 'user:hunter2@127.0.0.1/a', {}],
  ['no-address', 'not an address?key=hunter2', {}],
  ['a-header', 'http://127.0.0.1:1/a', { authorization: 'Bearer hunter2\u0007' }],
  ['a-line', 'http://127.0.0.1:1/a', { authorization: 'Bearer hunter2\nnext' }],
  ['a-letter', 'http://127.0.0.1:1/a', { authorization: 'Bearer hunter2\u0416' }],
  ['a-name', 'http://127.0.0.1:1/a', { 'authorization: Bearer hunter2': 'yes' }],
])(
  'a request that cannot be sent, by %s, fails the step for good, and nothing of it is quoted',
  async (slug, url, headers) => {
    const request = { url, headers, secret: 'MILLRACE_TEST_SECRET', timeout: '1m' } as const
    const asks = pipeline(`unsent-${slug}`, { retry: { attempts: 3, initial: 0 } }).step(
      'ask',
      ({ durable }) => durable.http(request),
    )
    const { error, attempts } = await failureOf(asks)
    expect(error).toMatchObject({ code: 'step_option_invalid', retryable: false })
    expect(JSON.stringify(error)).not.toContain('hunter2')
    expect(attempts).toBe(1)
  },
)

test('the address of a request is looked at before its token is good', async () => {
  const calls = new HttpCalls({
    caller: { call: () => Promise.reject(new Error('a wait was written')) },
    key: {} as never,
    now: () => 0,
    environment: { S: 'secret' },
  })
  const task = { step: { name: 'ask' }, run: { id: 'r' }, item: -1, attempt: 1 } as unknown as HeldTask
  const request = { url: 'not a url?secret=1', secret: 'S', timeout: '1m' } as const
  await expect(calls.post(task, { name: 'http#1', place: 0 }, request)).rejects.toMatchObject({
    code: 'step_option_invalid',
    message: "Request 'http#1' of step 'ask' has no `url` of http or https that can be read.",
  })
})

test('an endpoint that asks to be tried again in no time is tried again when the retry policy says', async () => {
  answer = (_hit, response) => json(response, 503, 'busy', { 'retry-after': '0' })
  const hurried = asking('hurried', '/busy')
  await database.clock.freeze()
  await opened.worker({ pipelines: [hurried], leaseSeconds: 3_600 })
  const { run } = await opened.client().start(hurried, null)
  await until('the first attempt', async () => (await attemptsOf(database, run!.id)).length === 1)
  const [waiting] = await database.query<{ seconds: number }>(
    'select extract(epoch from available_at - millrace.now())::float8 as seconds from millrace.waiting_task where run_id = $1',
    [run!.id],
  )
  expect(waiting!.seconds).toBe(3_600)
})

test('an answer without end is read to its bound only, and a secret that is not set is named', async () => {
  answer = (_hit, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' })
    const more = () => {
      if (!response.destroyed) response.write('x'.repeat(65_536), more)
    }
    more()
  }
  const endless = asking('endless', '/endless')
  const unset = pipeline('unset', { retry: { attempts: 1 } }).http('ask', {
    url: `${origin}/x`,
    secret: 'MILLRACE_TEST_UNSET',
    timeout: '1m',
  })
  await opened.worker({ pipelines: [endless, unset] })
  const client = opened.client()
  const one = await client.start(endless, null)
  await expect(client.run(one.run!.id).result()).rejects.toMatchObject({
    fields: { error: { code: 'json_too_large' } },
  })
  const two = await client.start(unset, null)
  await expect(client.run(two.run!.id).result()).rejects.toMatchObject({
    message: expect.stringContaining('MILLRACE_TEST_UNSET'),
  })
})
