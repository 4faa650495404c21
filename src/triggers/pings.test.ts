// Pings to an address outside: a real server on this machine hears what healthchecks.io would.
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { MillraceError } from '../core/errors.ts'
import { poolCaller } from '../db/call.ts'
import { safeFetch } from '../net/safe-fetch.ts'
import { openMeeting } from '../../test/meeting.ts'
import { workerOf } from '../../test/pipeline-worker.ts'
import { chain, claim, complete, fail, type Worker } from '../../test/protocol.ts'
import { Schedules } from '../sdk/schedules.ts'
import { pingTask, pingUrl } from './pings.ts'

const { database } = await openMeeting()
const caller = poolCaller(database.pool, { prepare: false, database: 'test' })

interface Heard {
  readonly path: string
  readonly rid: string | null
  readonly body: string
}

let server: Server
let origin: string
const heard: Heard[] = []
let answers: number[] = []

beforeAll(async () => {
  server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const url = new URL(request.url ?? '/', origin)
      heard.push({ path: url.pathname, rid: url.searchParams.get('rid'), body })
      response.writeHead(answers.shift() ?? 200).end('OK')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => server.close())
beforeEach(async () => {
  heard.length = 0
  answers = []
  await database.query('delete from millrace.ping')
})

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}

const send = (allow: readonly string[] = [origin]) =>
  pingTask({
    caller,
    allowTargets: allow,
    fetch: safeFetch,
    readSecret: (name) =>
      name === 'check'
        ? Promise.resolve(`${origin}/from-secret`)
        : Promise.reject(new MillraceError('secret_unknown', `There is no secret '${name}'.`)),
  })()

let number = 0

async function scheduled(settings: Record<string, unknown>): Promise<{ name: string; worker: Worker }> {
  const name = `pinged-${++number}`
  const worker = await workerOf(database, name, chain('only'))
  await database.query('select millrace.define_schedule($1, $1, $2)', [
    name,
    { every_ms: 3_600_000, ...settings },
  ])
  return { name, worker }
}

async function fire(name: string): Promise<string> {
  const [row] = await database.query<{ run_id: string }>('select run_id from millrace.trigger_schedule($1)', [
    name,
  ])
  return row!.run_id
}

const settle = () => database.query('select millrace.settle_firings()')

const left = () =>
  database.query<{ signal: string; attempts: number; next_in_s: number | null; code: string | null }>(
    `select signal, attempts, round(extract(epoch from next_at - millrace.now()))::int as next_in_s, error ->> 'code' as code
       from millrace.ping order by kind desc`,
  )

async function end(worker: Worker, how: 'well' | 'badly' = 'well'): Promise<void> {
  const [task] = await claim(database, worker, 1)
  if (how === 'well') await complete(database, worker, [{ task: task! }])
  else
    await fail(database, worker, [
      { task: task!, error: { code: 'card_declined', message: 'Ada Lovelace, 4711', retryable: false } },
    ])
  await settle()
}

test('a firing that goes well is a start and a success, with the run as rid', async () => {
  const { name, worker } = await scheduled({ ping_url: `${origin}/ping/abc?create=1` })
  const run = await fire(name)
  await send()
  await end(worker)
  await send()
  expect(heard).toMatchObject([
    { path: '/ping/abc/start', rid: run },
    {
      path: '/ping/abc',
      rid: run,
      body: expect.stringMatching(/^Schedule 'pinged-\d+', slot .*: completed\.$/) as string,
    },
  ])
  expect(await left()).toEqual([])
})

test('a run that fails is told by its code, and never by its message', async () => {
  const { name, worker } = await scheduled({ ping_secret: 'check' })
  await fire(name)
  await end(worker, 'badly')
  await send()
  expect(heard.map(({ path }) => path)).toEqual(['/from-secret/start', '/from-secret/fail'])
  expect(heard[1]!.body).toContain('failed (run_failed, card_declined)')
  expect(heard[1]!.body).not.toContain('Lovelace')
})

test('RR-2 what is expected decides: nothing is a success before it is verified', async () => {
  const { name, worker } = await scheduled({ ping_url: origin, expect: { output: ['rows'], at_least: 1 } })
  await fire(name)
  await end(worker)
  await send()
  expect(heard.map(({ path }) => path)).toEqual(['/start'])
  await database.query(
    `select millrace.verify_firing(t.id, t.verify_at, false, '{}', true) from millrace.take_verifications() t`,
  )
  await settle()
  await send()
  expect(heard.map(({ path }) => path)).toEqual(['/start', '/fail'])
  expect(heard[1]!.body).toContain('unverified')
})

test('a firing without an end by its deadline is a fail, and its end a success', async () => {
  const { name, worker } = await scheduled({ ping_url: `${origin}/late`, deadline_ms: 60_000 })
  await fire(name)
  await database.clock.advance('61s')
  await database.query('select millrace.mark_overdue()')
  await send()
  await end(worker)
  await send()
  expect(heard.map(({ path }) => path)).toEqual(['/late/start', '/late/fail', '/late'])
  expect(heard[1]!.body).toContain('overdue, still started')
  await database.clock.reset()
})

test('a firing that is overdue before it begins is a fail, and a start once it does', async () => {
  const { name, worker } = await scheduled({
    ...{ ping_url: `${origin}/behind`, deadline_ms: 60_000, overlap: 'queue_one' },
  })
  await fire(name)
  await fire(name)
  await database.clock.advance('61s')
  await database.query('select millrace.mark_overdue()')
  await send()
  expect(heard.map(({ path }) => path)).toEqual(['/behind/start', '/behind/fail'])
  await end(worker)
  await send()
  const begun = await database.query<{ run_id: string }>(
    `select f.run_id from millrace.firing f join millrace.schedule s on s.id = f.schedule_id where s.name = $1 and f.state = 'started'`,
    [name],
  )
  expect(heard.slice(2)).toMatchObject([
    { path: '/behind/start', rid: begun[0]!.run_id },
    { path: '/behind' },
  ])
  await end(worker)
  await send()
  expect(heard.slice(4)).toMatchObject([{ path: '/behind', rid: begun[0]!.run_id }])
  await database.clock.reset()
})

test('an overlap that is skipped tells nothing', async () => {
  const { name } = await scheduled({ ping_url: origin })
  await fire(name)
  await send()
  await fire(name)
  await settle()
  expect(await left()).toEqual([])
})

test('what is not answered well is sent again, later each time, and given up after eight times', async () => {
  const { name, worker } = await scheduled({ ping_url: origin })
  await fire(name)
  await send()
  await end(worker)
  answers = Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? 503 : 429))
  const waits: (number | null)[] = []
  for (let attempt = 1; attempt <= 8; attempt++) {
    await send()
    const [row] = await left()
    expect(row).toMatchObject({ signal: 'success', attempts: attempt, code: 'answer_refused' })
    waits.push(row!.next_in_s)
    await send()
    expect(heard).toHaveLength(attempt + 1)
    await database.clock.advance(`${(row!.next_in_s ?? 0) + 1}s`)
  }
  expect(waits).toEqual([2, 4, 8, 16, 32, 64, 128, null])
  const schedules = new Schedules(() => Promise.resolve(caller))
  expect((await schedules.get(name)).pingError).toBe('It answered 429.')
  await fire(name)
  await end(worker)
  await send()
  expect(heard.slice(-2).map(({ path }) => path)).toEqual(['/start', '/'])
  expect((await schedules.get(name)).pingError).toBeNull()
  expect(await left()).toEqual([])
  await database.clock.reset()
})

test('an answer that no other try would change is given up at once, and an address that may not be called too', async () => {
  const gone = await scheduled({ ping_url: origin })
  await fire(gone.name)
  answers = [404]
  await send()
  expect(await left()).toEqual([{ signal: 'start', attempts: 1, next_in_s: null, code: 'answer_refused' }])
  const refused = await scheduled({ ping_url: origin })
  await fire(refused.name)
  await send([])
  expect((await left()).map(({ code }) => code)).toContain('target_refused')
  expect(heard).toHaveLength(1)
})

test('a secret that is not there is no reason to lose the ping', async () => {
  const { name } = await scheduled({ ping_secret: 'nowhere' })
  await fire(name)
  await send()
  expect(await left()).toMatchObject([{ attempts: 1, next_in_s: 2, code: 'secret_unknown' }])
})

test('a worker that lacks the secret does not use up the tries of a ping that another one could send', async () => {
  const { name } = await scheduled({ ping_secret: 'nowhere' })
  await database.clock.freeze()
  await fire(name)
  for (let tries = 0; tries < 12; tries++) {
    await send()
    const [row] = await left()
    expect(row).toMatchObject({ attempts: 1, code: 'secret_unknown' })
    await database.clock.advance(`${row!.next_in_s! + 1}s`)
  }
  await database.clock.advance('1 hour')
  for (let tries = 1; tries <= 8; tries++) {
    await send()
    await database.clock.advance('5 minutes')
  }
  expect(await left()).toMatchObject([{ attempts: 8, next_in_s: null, code: 'secret_unknown' }])
  await database.clock.reset()
})

test('what an outage leaves behind is one start and one end a schedule, and never a start after its end', async () => {
  const { name, worker } = await scheduled({ ping_url: origin })
  answers = [500, 500, 500]
  for (let firing = 0; firing < 3; firing++) {
    await fire(name)
    await send()
    await end(worker, firing === 2 ? 'badly' : 'well')
    await database.clock.advance('1s')
  }
  expect((await left()).map(({ signal }) => signal)).toEqual(['fail'])
  heard.length = 0
  answers = []
  await database.clock.advance('10s')
  await send()
  expect(heard.map(({ path }) => path)).toEqual(['/fail'])
  await database.clock.reset()
})

test('a start that did not get through is not sent again after its end, whether that has gone out or waits', async () => {
  const { name, worker } = await scheduled({ ping_url: origin })
  await fire(name)
  await end(worker)
  answers = [500]
  await send()
  expect(heard.map(({ path }) => path)).toEqual(['/start', '/'])
  await database.clock.advance('3s')
  await send()
  expect(heard).toHaveLength(2)
  expect(await left()).toEqual([])
  await fire(name)
  const [start] = await database.query<{ id: string; schedule_id: string }>(
    'select id, schedule_id from millrace.take_pings()',
  )
  await end(worker)
  await database.query(`select millrace.settle_ping($1, 'start', $2, '{"code": "x", "message": "y"}')`, [
    start!.schedule_id,
    start!.id,
  ])
  await database.clock.advance('3s')
  heard.length = 0
  await send()
  expect(heard.map(({ path }) => path)).toEqual(['/'])
  await database.clock.reset()
})

test('what could not be told to an address is told no more once the schedule has another one, or none', async () => {
  const { name } = await scheduled({ ping_url: `${origin}/typo`, overlap: 'allow' })
  const define = (settings: object) =>
    database.query('select millrace.define_schedule($1, $1, $2)', [
      name,
      { every_ms: 3_600_000, overlap: 'allow', ...settings },
    ])
  const schedules = new Schedules(() => Promise.resolve(caller))
  const error = async () => (await schedules.get(name)).pingError
  for (const settings of [{ ping_url: origin }, {}]) {
    await fire(name)
    answers = [404]
    await send()
    expect(await error()).toBe('It answered 404.')
    await define(settings)
    expect(await error()).toBeNull()
  }
})

test('while a start is on its way its end waits, and of two who send each ping goes out once', async () => {
  const { name, worker } = await scheduled({ ping_url: origin })
  await fire(name)
  const [start] = await database.query<{ id: string; schedule_id: string }>(
    'select id, schedule_id from millrace.take_pings()',
  )
  await end(worker)
  await send()
  expect(heard).toEqual([])
  await database.query('select millrace.settle_ping($1, $2, $3)', [start!.schedule_id, 'start', start!.id])
  await Promise.all([send(), send(), send()])
  expect(heard.map(({ path }) => path)).toEqual(['/'])
})

test('a ping whose sender died is sent by somebody else', async () => {
  const { name } = await scheduled({ ping_url: origin })
  await fire(name)
  await database.query('select from millrace.take_pings(30)')
  await send()
  expect(heard).toEqual([])
  await database.clock.advance('31s')
  await send()
  expect(heard).toHaveLength(1)
  await database.clock.reset()
})

test('a newer firing that comes while an older ping is on its way goes out after it', async () => {
  const { name, worker } = await scheduled({ ping_url: origin })
  await fire(name)
  await send()
  await end(worker)
  const [old] = await database.query<{ id: string; schedule_id: string }>(
    'select id, schedule_id from millrace.take_pings()',
  )
  await fire(name)
  await end(worker, 'badly')
  await database.query('select millrace.settle_ping($1, $2, $3)', [old!.schedule_id, 'end', old!.id])
  heard.length = 0
  await send()
  expect(heard.map(({ path }) => path)).toEqual(['/start', '/fail'])
  expect(await left()).toEqual([])
})

test('a signal goes beside the path and the query of the address', () => {
  const url = (address: string, signal: 'start' | 'success' | 'fail', run_id: string | null = null) =>
    pingUrl(address, { signal, run_id }).href
  expect(url('https://hc-ping.com/uuid', 'success')).toBe('https://hc-ping.com/uuid')
  expect(url('https://hc-ping.com/uuid/', 'fail', 'r')).toBe('https://hc-ping.com/uuid/fail?rid=r')
  expect(url('https://hc-ping.com/key/slug?create=1', 'start')).toBe(
    'https://hc-ping.com/key/slug/start?create=1',
  )
  expect(() => url('no address', 'start')).toThrow('no URL')
})
