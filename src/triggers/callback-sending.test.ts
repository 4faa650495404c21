// What is told to other servers when runs end: to real ones, as good and as bad as servers are.
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { z } from 'zod'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { selfSigned } from '../../test/certificate.ts'
import { until } from '../../test/deadline.ts'
import { openMillrace } from '../../test/millrace.ts'
import { pruneAll } from '../../test/protocol.ts'
import { MillraceError } from '../core/errors.ts'
import { poolCaller } from '../db/call.ts'
import { claimCallbacks, recordCallback } from '../db/callbacks.ts'
import { safeFetch } from '../net/safe-fetch.ts'
import type { CallbackDelivery } from '../sdk/callbacks.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { callbackSending } from './callback-sending.ts'

interface Hit {
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

type Answer = (response: http.ServerResponse, hit: Hit) => void

const { database, opened } = await openMillrace()
const secret = `whsec_${Buffer.from('a secret of this very test').toString('base64')}`
const hits: Hit[] = []
let answer: Answer
let server: http.Server
let origin: string

const greet = pipeline('greet').step('say', () => ({ said: 'hello' }))
beforeAll(async () => {
  process.env['MILLRACE_TEST_CALLBACK'] = secret
  server = http.createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString('utf8')))
    request.on('end', () => {
      const hit = { path: request.url ?? '', headers: request.headers, body }
      hits.push(hit)
      answer(response, hit)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  delete process.env['MILLRACE_TEST_CALLBACK']
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  hits.splice(0)
  answer = (response) => response.end()
})

const hook = (path = '/hook') => ({ url: `${origin}${path}`, secret: 'hooks/runs' })
const client = () => opened.client({ allowTargets: [origin] })

/** What is started ends without a worker, which would send at once: well, or as failed with an error. */
async function ended(
  start: (own: ReturnType<typeof client>) => Promise<unknown>,
  error?: object,
): Promise<void> {
  await start(client())
  const open = await database.query<{ id: string }>('select id from millrace.run where finished_at is null')
  for (const { id } of open) {
    if (error === undefined) {
      await database.query("select millrace.start_step($1, 'say')", [id])
      await database.query("select millrace.complete_step($1, 'say', 1, '1')", [id])
    } else await database.query('select millrace.complete_run($1, $2)', [id, JSON.stringify(error)])
  }
}

const room = () => ({
  caller: poolCaller(database.pool, { prepare: false, database: 'test' }),
  allowTargets: [origin],
  fetch: safeFetch,
  readSecret: () => Promise.resolve(secret),
  random: () => 0.5,
})
const send = (allowTargets = [origin]) => callbackSending({ ...room(), allowTargets })()

async function delivery(): Promise<CallbackDelivery> {
  const [first, ...others] = await client()
    .callbacks.list({ open: true })
    .then(async (open) => (open.length > 0 ? open : client().callbacks.list()))
  expect(others).toEqual([])
  return first!
}

beforeEach(async () => {
  await database.query('truncate millrace.callback, millrace.callback_delivery, millrace.callback_attempt')
})

test('a worker tells whom a start names of the end of its run, signed by Standard Webhooks, with its output', async () => {
  const own = client()
  await own.secrets.set('hooks/runs', { environment: 'MILLRACE_TEST_CALLBACK' })
  await opened.worker({ pipelines: [greet], allowTargets: [origin] })
  const { run } = await own.start(greet, null, { callback: hook('/hook?key=1'), tenant: 'acme' })
  const [hit] = await until('it is told', () => hits.length > 0 && hits)
  expect(new Webhook(secret).verify(hit!.body, hit!.headers as Record<string, string>)).toEqual({
    id: hit!.headers['webhook-id'],
    type: 'run.completed',
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    data: { run: run!.id, pipeline: 'greet', state: 'completed', tenant: 'acme', output: { said: 'hello' } },
  })
  expect(hit!.path).toBe('/hook?key=1')
  expect(() =>
    new Webhook('whsec_b3RoZXI=').verify(hit!.body, hit!.headers as Record<string, string>),
  ).toThrow()
  const [told] = await until('it is on record', async () => {
    const list = await own.callbacks.list({ run: run!.id, open: false })
    return list.length > 0 && list
  })
  expect(told).toMatchObject({
    id: hit!.headers['webhook-id'],
    state: 'delivered',
    attempts: [{ number: 1, status: 200, reason: null }],
  })
})

test('of a failed run its code is told, and nothing of its message; a callback for other ends is not told', async () => {
  const callback = [
    hook(),
    { ...hook('/completed'), events: ['completed' as const] },
    { ...hook('/failed'), events: ['failed' as const] },
  ]
  await ended((own) => own.start(greet, null, { callback }), {
    code: 'it_broke',
    message: 'on password hunter2',
  })
  await send()
  expect(hits.map(({ path }) => path).sort()).toEqual(['/failed', '/hook'])
  expect(JSON.parse(hits[0]!.body)).toMatchObject({
    type: 'run.failed',
    data: { state: 'failed', error: { code: 'it_broke' } },
  })
  expect(hits[0]!.body).not.toContain('hunter2')
})

test('a start that rolls back tells nobody; one that commits with its callback does', async () => {
  await ended(async (own) => {
    const connection = await database.pool.connect()
    await connection.query('begin')
    await own.start(greet, null, { callback: hook('/rolled-back'), tx: connection })
    await connection.query('rollback')
    await connection.query('begin')
    await own.start(greet, null, { callback: hook('/committed'), tx: connection })
    await connection.query('commit')
    connection.release()
    await own.startMany(greet, [null, null], { callback: hook('/many') })
  })
  await send()
  expect(hits.map(({ path }) => path).sort()).toEqual(['/committed', '/many', '/many'])
})

test('the callbacks of a pipeline are told of each of its runs, as a set that its code keeps', async () => {
  const told = pipeline('told', { callback: hook('/pipeline') }).step('say', () => 1)
  const own = client()
  const stopped = await opened.worker({ pipelines: [told], allowTargets: [origin] })
  await own.start(told, null)
  await own.start(told, null, { callback: hook('/pipeline') })
  await until('both are due', async () => (await own.callbacks.list()).length === 2)
  await stopped.stop()
  expect((await database.query('select from millrace.callback where slug is not null')).length).toBe(1)
  await (await opened.worker({ pipelines: [pipeline('told').step('say', () => 1)] })).stop()
  expect((await database.query('select from millrace.callback where slug is not null')).length).toBe(0)
  await expect(opened.worker({ pipelines: [told] })).rejects.toMatchObject({ code: 'target_refused' })
})

test('JQ-16 an address that may not be called is refused when it is given, also in SQL where it holds a password', async () => {
  const own = opened.client()
  for (const url of [
    'http://hooks.example.com/',
    'https://127.0.0.1/',
    'https://u:p@hooks.example.com/',
    'https://metadata.google.internal/',
    'file:///etc/passwd',
    'x',
  ])
    await expect(own.start('greet', null, { callback: { url, secret: 'hooks/runs' } })).rejects.toMatchObject(
      { code: 'target_refused' },
    )
  for (const url of [
    'https://u:p@hooks.example.com/',
    'https://u@hooks.example.com',
    'https://hooks.example.com\\@x/',
    'ftp://x.example.com/',
    'https:///x',
  ])
    await expect(
      database.query('select millrace.add_callbacks(array[gen_random_uuid()], $1)', [
        JSON.stringify([{ url, secret: 'a' }]),
      ]),
    ).rejects.toMatchObject({ code: 'MR014' })
  expect(await database.query('select from millrace.callback')).toEqual([])
})

test('SH-7 JQ-16 an address that turns out to be one of the inside is never connected to, and is not tried again', async () => {
  await ended((own) => own.start(greet, null, { callback: hook() }))
  await send([])
  expect(hits).toEqual([])
  expect(await delivery()).toMatchObject({
    state: 'given up',
    reason: 'target_refused (scheme)',
    attempts: [{ status: null }],
  })
})

test('H9 a redirect, to http, to another host or in a loop, is not followed, and is tried again later', async () => {
  await ended((own) => own.start(greet, null, { callback: hook() }))
  for (const [turn, location] of [
    'http://127.0.0.1:1/',
    'https://other.example.com/',
    `${origin}/hook`,
  ].entries()) {
    answer = (response) => response.writeHead(301 + turn, { location }).end()
    await send()
    await database.clock.advance('1 hour')
  }
  expect(hits.map(({ path }) => path)).toEqual(['/hook', '/hook', '/hook'])
  expect(await delivery()).toMatchObject({
    state: 'waiting',
    reason: expect.stringContaining('redirect'),
    attempts: [{ status: 301 }, { status: 302 }, { status: 303 }],
  })
})

test('H9 a body without end and one of a byte a second cost nothing: the status counts; a head that never comes is given up', async () => {
  await ended((own) => own.start(greet, null, { callback: [hook('/huge'), hook('/slow'), hook('/never')] }))
  answer = (response, { path }) => {
    if (path === '/huge') {
      response.writeHead(200, { 'content-length': '10000000000' })
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      }
      response.on('drain', more)
      more()
    } else if (path === '/slow') response.writeHead(200).write('.')
  }
  await send()
  const deliveries = await client().callbacks.list()
  const byPath = Object.fromEntries(deliveries.map((one) => [new URL(one.url).pathname, one]))
  expect(byPath['/huge']).toMatchObject({ state: 'delivered' })
  expect(byPath['/slow']).toMatchObject({ state: 'delivered' })
  expect(byPath['/never']).toMatchObject({ state: 'waiting', reason: 'fetch_timeout' })
})

test('H9 a certificate that nobody vouches for gets no callback', async () => {
  const asked: string[] = []
  const tls = https.createServer(selfSigned(), (request, response) => {
    asked.push(request.url ?? '')
    response.end()
  })
  await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void tls.close())
  const url = `https://127.0.0.1:${(tls.address() as AddressInfo).port}/hook`
  const own = opened.client({ allowTargets: ['127.0.0.1'] })
  await ended(() => own.start(greet, null, { callback: { url, secret: 'hooks/runs' } }))
  await send(['127.0.0.1'])
  expect(asked).toEqual([])
  expect(await delivery()).toMatchObject({
    state: 'waiting',
    reason: 'fetch_failed (DEPTH_ZERO_SELF_SIGNED_CERT)',
  })
})

test('H9 410 disables a callback, which the history of the run says; sent again by hand, it is called again', async () => {
  await ended((own) => own.start(greet, null, { callback: hook() }))
  answer = (response) => response.writeHead(410).end()
  await send()
  const gone = await delivery()
  expect(gone).toMatchObject({ state: 'given up', disabled: true, reason: 'it answered with 410' })
  const events = await database.query(
    "select kind from millrace.event where kind like 'callback%' and run_id = $1",
    [gone.run],
  )
  expect(events).toEqual([{ kind: 'callback.disabled' }])
  answer = (response) => response.writeHead(204).end()
  await client().callbacks.resend(gone.id)
  await send()
  expect(await delivery()).toMatchObject({
    id: gone.id,
    state: 'delivered',
    disabled: false,
    attempts: [{ status: 410 }, { status: 204 }],
  })
  expect(new Set(hits.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
})

test('H9 what is due of a disabled callback is given up without a request', async () => {
  await ended((own) => own.start(greet, null, { callback: hook() }))
  await database.query('update millrace.callback set disabled_at = millrace.now()')
  await send()
  expect(hits).toEqual([])
  expect(await delivery()).toMatchObject({ state: 'given up', reason: 'its callback is disabled' })
})

test('H9 429 and 503 are tried again when they asked for it, a day later at most; other failures ever later, twelve times', async () => {
  await ended((own) => own.start(greet, null, { callback: hook() }))
  await database.clock.freeze()
  const waits: number[] = []
  const turn = async (status: number, headers: http.OutgoingHttpHeaders = {}) => {
    answer = (response) => response.writeHead(status, headers).end()
    await send()
    const { dueAt } = await delivery()
    const [row] = await database.query<{ now: Date }>('select millrace.now() as now')
    if (dueAt === null) return
    const wait = dueAt.getTime() - row!.now.getTime()
    waits.push(wait / 1_000)
    await database.clock.advance(wait)
  }
  await turn(429, { 'retry-after': '7200' })
  await turn(503, { 'retry-after': '999999999' })
  await turn(500, { 'retry-after': '7200' })
  await turn(429, { 'retry-after': 'soon' })
  expect(waits).toEqual([7_200, 86_400, 160, 640])
  const { id } = await delivery()
  await client().callbacks.resend(id)
  waits.splice(0)
  for (let n = 0; n < 12; n++) await turn(500)
  expect(waits).toEqual([10, 40, 160, 640, 2_560, 10_240, 21_600, 21_600, 21_600, 21_600, 21_600])
  expect(await delivery()).toMatchObject({ state: 'given up', reason: 'it answered with 500' })
  hits.splice(0)
  await database.clock.advance('1 day')
  await send()
  expect(hits).toEqual([])
})

test('what a worker died over is sent again under the same id, and its late answer changes nothing', async () => {
  await ended((own) => own.start(greet, null, { callback: hook() }))
  const { caller } = room()
  const [lost] = await claimCallbacks(caller, 10)
  await send()
  expect(hits).toEqual([])
  await database.clock.advance('61 seconds')
  const claims = await Promise.all([claimCallbacks(caller, 10), claimCallbacks(caller, 10)])
  expect(claims.flat().map(({ id, claim }) => [id, claim])).toEqual([[lost!.id, 2]])
  const late = { status: 500, reason: null, durationMs: 1, isFinal: false, retryAfterMs: null, draw: 0 }
  expect(await recordCallback(caller, { ...late, id: lost!.id, claim: 1 })).toBe('stale')
  expect(await recordCallback(caller, { ...late, id: lost!.id, claim: 2, status: 200 })).toBe('delivered')
  expect(await recordCallback(caller, { ...late, id: lost!.id, claim: 2 })).toBe('stale')
  expect(await delivery()).toMatchObject({ state: 'delivered' })
})

test('a callback added to a run that has ended is told at once, and only once', async () => {
  await ended((own) => own.start(greet, null))
  const [run] = await database.query<{ id: string }>(
    "select id from millrace.run where slug = 'greet' order by id desc limit 1",
  )
  const own = client()
  expect(await own.callbacks.add(run!.id, hook())).toBe(true)
  expect(await own.callbacks.add(run!.id, hook())).toBe(false)
  await send()
  await send()
  expect(hits.length).toBe(1)
})

test('a redrive into a new run takes its callbacks along', async () => {
  const own = client()
  await ended(() => own.start(greet, null, { callback: hook() }), { code: 'not_yet', message: 'not yet' })
  const failed = await delivery()
  await send()
  const answer = await own.run(failed.run).redrive({ from: 'start' })
  const next = answer.redriven ? answer.run.id : ''
  expect(next).not.toBe(failed.run)
  await ended(() => Promise.resolve())
  await send()
  const told = hits.map(({ body }) => JSON.parse(body) as { type: string; data: { run: string } })
  expect(told.map(({ type, data }) => [type, data.run])).toEqual([
    ['run.failed', failed.run],
    ['run.completed', next],
  ])
})

/** Once a worker that may not call anybody has given up what it was to tell, that is sent after all. */
async function sendAgain(): Promise<void> {
  await until('nothing waits', async () =>
    (await client().callbacks.list()).every(({ state }) => state === 'given up'),
  )
  await opened.close()
  for (const { id } of await client().callbacks.list()) await client().callbacks.resend(id)
  await send()
}

test('a run that goes on as another tells of its last end alone', async () => {
  const rounds = pipeline('rounds', { input: z.object({ left: z.number() }) }).step(
    'say',
    ({ input, durable }) => (input.left === 0 ? 'done' : durable.continueAs({ left: input.left - 1 })),
  )
  await opened.worker({ pipelines: [rounds] })
  await client().start(rounds, { left: 2 }, { callback: hook() })
  await until('it is told', async () => (await client().callbacks.list()).length > 0)
  await sendAgain()
  const told = hits.map(({ body }) => JSON.parse(body) as { type: string; data: { output: unknown } })
  expect(told.map(({ type, data }) => [type, data.output])).toEqual([['run.completed', 'done']])
})

test('of an encrypted pipeline only which run ended, and how, is told', async () => {
  const sealed = pipeline('sealed', { encrypt: true }).step('say', () => ({ secret: 'of the patient' }))
  const encryptionKeys = { first: Buffer.alloc(32, 7).toString('base64') }
  const own = opened.client({ allowTargets: [origin], encryptionKeys })
  await opened.worker({ pipelines: [sealed], encryptionKeys })
  const { run } = await own.start(sealed, null, { callback: hook(), tenant: 'acme' })
  await own.run(run!.id).result()
  await sendAgain()
  expect((JSON.parse(hits[0]!.body) as { data: unknown }).data).toEqual({
    run: run!.id,
    pipeline: 'sealed',
    state: 'completed',
  })
})

test.each([
  ['of its pipeline is shorter', '25 hours', 1],
  ['of all is over as well, and its week is dropped', '40 days', null],
])('a callback that is still due keeps its run beyond its retention, where that %s', async (_, age, days) => {
  await database.query('select millrace.create_partitions()')
  answer = (response) => response.writeHead(503).end()
  await ended((own) => own.start(greet, null, { callback: hook() }))
  await send()
  await database.query("update millrace.pipeline set retention_days = $1 where slug = 'greet'", [days])
  onTestFinished(async () => {
    await database.query("update millrace.pipeline set retention_days = null where slug = 'greet'")
  })
  await database.clock.advance(age)
  await pruneAll(database)
  const { run, state } = await delivery()
  expect(state).toBe('waiting')
  answer = (response) => response.end()
  await send()
  expect(hits.at(-1)?.path).toBe('/hook')
  expect((await delivery()).state).toBe('delivered')
  await pruneAll(database)
  expect(await database.query('select from millrace.run where id = $1', [run])).toEqual([])
  expect(await client().callbacks.list()).toEqual([])
})

test.each([
  ['deleted', (run: string) => database.query('select millrace.delete_run($1)', [run])],
  ['pruned', () => pruneAll(database)],
])('what is kept of callbacks goes with their run when that is %s', async (_, remove) => {
  await ended((own) => own.start(greet, null, { callback: hook() }))
  await send()
  const { run } = await delivery()
  await database.clock.advance('2 years')
  await remove(run)
  expect(await database.query('select from millrace.run where id = $1', [run])).toEqual([])
  expect(await database.query('select from millrace.callback_delivery')).toEqual([])
  expect(await database.query('select from millrace.callback_attempt')).toEqual([])
  expect(await database.query('select from millrace.callback')).toEqual([])
})

test('an address that does not answer holds up no other one: what else is due there waits for a while', async () => {
  const dead = opened.client({ allowTargets: ['http://127.0.0.1:9'] })
  await ended(() =>
    dead.startMany(greet, Array<null>(25).fill(null), {
      callback: { ...hook(), url: 'http://127.0.0.1:9/dead' },
    }),
  )
  await ended((own) => own.start(greet, null, { callback: hook('/alive') }))
  await send([origin, 'http://127.0.0.1:9'])
  expect(hits).toEqual([])
  await send([origin, 'http://127.0.0.1:9'])
  expect(hits.map(({ path }) => path)).toEqual(['/alive'])
  const tried = await database.query('select from millrace.callback_attempt where status is null')
  expect(tried.length).toBe(20)
  await database.clock.advance('13 seconds')
  await send([origin, 'http://127.0.0.1:9'])
  await send([origin, 'http://127.0.0.1:9'])
  expect((await database.query('select from millrace.callback_attempt where number = 1')).length).toBe(26)
})

/** What a worker does that lacks what the secret is in. */
const sendWithoutSecret = () => {
  const readSecret = () => Promise.reject(new MillraceError('secret_unavailable', 'There is no variable.'))
  return callbackSending({ ...room(), readSecret })()
}

test('a worker that lacks the secret holds up nothing else that is due at the host', async () => {
  await ended((own) => own.startMany(greet, Array<null>(21).fill(null), { callback: hook() }))
  await sendWithoutSecret()
  await send()
  expect(hits.length).toBe(1)
})

test('a worker that lacks the secret costs a delivery no attempt for an hour, so that another one has its turn', async () => {
  const began = Date.now()
  await database.clock.freeze(new Date(began))
  await ended((own) => own.start(greet, null, { callback: hook() }))
  const counted = async () => {
    const [row] = await database.query<{ attempts: number; due_at: Date }>(
      'select attempts, due_at from millrace.callback_delivery',
    )
    return row!
  }
  const tries: number[] = []
  for (let now = began; now < began + 3_600_000; ) {
    await sendWithoutSecret()
    const { attempts, due_at } = await counted()
    expect(attempts).toBe(0)
    tries.push(Math.floor((now - began) / 1_000))
    // What is less than a millisecond is not told.
    now = due_at.getTime() + 1
    await database.clock.freeze(new Date(now))
  }
  expect(tries.slice(0, 7)).toEqual([0, 10, 20, 30, 40, 50, 62])
  expect(tries.length).toBe(25)
  await sendWithoutSecret()
  expect((await counted()).attempts).toBe(1)
  await database.clock.advance('1 hour')
  await send()
  expect(await delivery()).toMatchObject({ state: 'delivered' })
})

test('a callback that is gone from the code keeps nobody waiting who ends a run, nor is it kept waiting by them', async () => {
  await database.query("select millrace.define_code_callbacks($1, array['greet'])", [
    JSON.stringify({ greet: [hook('/of-all')] }),
  ])
  const { run } = await client().start(greet, null)
  await database.query("select millrace.start_step($1, 'say')", [run!.id])
  const connection = await database.pool.connect()
  onTestFinished(() => connection.release(true))
  await connection.query('begin')
  await connection.query("select millrace.complete_step($1, 'say', 1, '1')", [run!.id])
  await database.query(
    "set local lock_timeout = '2s'; select millrace.define_code_callbacks('{}', array['greet'])",
  )
  await connection.query('commit')
  await send()
  expect(hits.map(({ path }) => path)).toEqual(['/of-all'])
})

test('a callback of a run that has ended is all that adding it tells: those of its pipeline are from now on', async () => {
  await ended((own) => own.start(greet, null))
  const [run] = await database.query<{ id: string }>(
    "select id from millrace.run where slug = 'greet' order by id desc limit 1",
  )
  await database.query("select millrace.define_code_callbacks($1, array['greet'])", [
    JSON.stringify({ greet: [hook('/of-all')] }),
  ])
  await client().callbacks.add(run!.id, hook('/added'))
  await send()
  expect(hits.map(({ path }) => path)).toEqual(['/added'])
  await database.query("select millrace.define_code_callbacks('{}', array['greet'])")
})

test('an output is left out by what it says, however small it is stored', async () => {
  const { run } = await client().start(greet, null, { callback: hook() })
  await database.query("select millrace.start_step($1, 'say')", [run!.id])
  await database.query("select millrace.complete_step($1, 'say', 1, to_jsonb(repeat('x', 900000)))", [
    run!.id,
  ])
  await send()
  expect((JSON.parse(hits[0]!.body) as { data: object }).data).toMatchObject({ output_too_large: true })
})

test('what is wrong with a list of callbacks is said without what they hold', async () => {
  const refused = (callbacks: unknown) =>
    database
      .query('select millrace.add_callbacks(array[gen_random_uuid()], $1)', [JSON.stringify(callbacks)])
      .then(
        () => undefined,
        (error: Error & { code: string }) => ({ code: error.code, message: error.message }),
      )
  const one = { url: 'https://hooks.example.com/token', secret: 'a' }
  for (const wrong of [one, Array<object>(11).fill(one), [{ ...one, events: 'completed' }], [one, one]]) {
    const error = await refused(wrong)
    expect(error).toMatchObject({ code: 'MR014' })
    expect(error!.message).not.toContain('token')
  }
})
