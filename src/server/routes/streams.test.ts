// What is followed over HTTP: each change once and in order, on from the last id, and one look for all who follow.
import http from 'node:http'
import { beforeAll, expect, test } from 'vitest'
import type { z } from 'zod'
import { actorOf, apiOn, type OpenedApi } from '../../../test/api.ts'
import { until } from '../../../test/deadline.ts'
import { Arrival, countStatements, openMillrace } from '../../../test/millrace.ts'
import { peopleOn, publicUrl } from '../../../test/people.ts'
import { streamOperations } from '../../api/streams.ts'
import { poolCaller } from '../../db/call.ts'
import { registerPipeline } from '../../db/pipelines.ts'
import { pipeline } from '../../sdk/pipeline.ts'
import { listen } from '../listen.ts'

const { database, opened } = await openMillrace()
const openApi = apiOn(database)
const openPeople = peopleOn(database)

let release = new Arrival()
const talking = pipeline('stream-talking').step('talk', async ({ stream }) => {
  await stream.write('one')
  await stream.write('two')
  await release.come
  await stream.write('three')
  return 'said'
})
const idle = pipeline('stream-idle').step('wait', () => null)

beforeAll(async () => {
  const caller = poolCaller(database.pool, { prepare: false, database: 'test' })
  for (const one of [talking, idle]) await registerPipeline(caller, one.slug, one.graph)
})

/** What the events of all streams hold, together: each was held against the schema of its own. */
interface EventData {
  readonly id: string
  readonly state: string
  readonly value: unknown
  readonly position: number
  readonly payloads_hidden?: true
  readonly items: ReadonlyArray<{ readonly id: string }>
}

interface Event {
  readonly event: string
  readonly id: string
  readonly data: EventData
}

const schemas: Readonly<Record<string, z.ZodType>> = Object.assign(
  {},
  ...Object.values(streamOperations).map(({ events }) => events),
)

/** A stream that is read event by event; each is held against its schema. */
class Reading {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  #text = ''

  constructor(response: Response) {
    if (response.status !== 200) throw new Error(`It was answered ${response.status}.`)
    this.#reader = response.body!.getReader()
  }

  /** Undefined at the end. */
  async next(): Promise<Event | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n')
      if (end >= 0) {
        const lines = this.#text.slice(0, end).split('\n')
        this.#text = this.#text.slice(end + 2)
        const field = (name: string) =>
          lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
        const event = field('event')
        if (event === undefined) continue
        const data = JSON.parse(field('data')!)
        schemas[event]!.parse(data)
        return { event, id: field('id')!, data }
      }
      const { done, value } = await this.#reader.read()
      if (done) return undefined
      this.#text += new TextDecoder().decode(value)
    }
  }

  async until(event: string): Promise<Event[]> {
    const seen: Event[] = []
    for (;;) {
      const next = await this.next()
      if (next === undefined) throw new Error(`It ended after ${JSON.stringify(seen)}.`)
      seen.push(next)
      if (next.event === event) return seen
    }
  }

  leave(): Promise<void> {
    return this.#reader.cancel()
  }
}

type Who = Parameters<OpenedApi['ask']>[0] & { name: string }

/** Whom a server has heard of: an actor is made known by asking something. */
const introduced = new WeakMap<OpenedApi, Set<string>>()

async function follow(api: OpenedApi, who: Who, path: string, lastId?: string): Promise<Response> {
  const known = introduced.get(api) ?? new Set()
  introduced.set(api, known)
  if (!known.has(who.name)) await api.ask(who, 'GET', '/runs?limit=1')
  known.add(who.name)
  const headers = { 'x-test-actor': who.name, ...(lastId === undefined ? {} : { 'last-event-id': lastId }) }
  return api.server.fetch(new Request(`http://millrace.test${path}`, { headers }))
}

const ann = { name: 'ann@example.org', id: 'ann', role: 'operator' } as const

async function start(api: OpenedApi, slug: string, input: unknown = null): Promise<string> {
  const { body } = await api.ask(ann, 'POST', '/runs', { pipeline: slug, input })
  return body.run.id
}

test('a run is followed to its end, and who was cut off goes on after the last id: no part is missed and none comes twice', async () => {
  release = new Arrival()
  const api = await openApi()
  await opened.worker({ pipelines: [talking] })
  const id = await start(api, 'stream-talking')

  const response = await follow(api, ann, `/runs/${id}/events`)
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  const first = new Reading(response)
  const seen: Event[] = []
  while (seen.filter(({ event }) => event === 'part').length < 2) seen.push((await first.next())!)
  expect(seen[0]).toMatchObject({ event: 'run', data: { id } })
  await first.leave()

  release.arrive()
  const rest = await new Reading(await follow(api, ann, `/runs/${id}/events`, seen.at(-1)!.id)).until('end')
  const parts = [...seen, ...rest].filter(({ event }) => event === 'part')
  expect(parts.map(({ data }) => data.value)).toEqual(['one', 'two', 'three'])
  expect(parts.map(({ data }) => data.position)).toEqual([0, 1, 2])
  expect(rest.at(-1)).toMatchObject({ event: 'end', data: { state: 'completed' } })

  // Nothing is left to tell: only that it has ended.
  const again = await new Reading(await follow(api, ann, `/runs/${id}/events`, rest.at(-1)!.id)).until('end')
  expect(again.map(({ event }) => event)).toEqual(['end'])
})

test('parts of a stream are told without their values to whoever may not see payloads', async () => {
  release = new Arrival()
  release.arrive()
  const api = await openApi()
  await opened.worker({ pipelines: [talking] })
  const id = await start(api, 'stream-talking')
  const blind = { name: 'blind', role: 'viewer', payloads: false } as const
  const seen = await new Reading(await follow(api, blind, `/runs/${id}/events`)).until('end')
  const parts = seen.filter(({ event }) => event === 'part')
  expect(parts.map(({ data }) => [data.value, data.payloads_hidden])).toEqual([
    [null, true],
    [null, true],
    [null, true],
  ])
})

test('a list is told as a whole, then what changes in it; with its last id only what has changed', async () => {
  const api = await openApi()
  const id = await start(api, 'stream-idle')
  const path = '/runs/events?pipeline=stream-idle&state=pending'
  const reading = new Reading(await follow(api, ann, path))
  const whole = (await reading.next())!
  expect(whole).toMatchObject({ event: 'runs', data: { items: [{ id, state: 'pending' }] } })

  const other = await start(api, 'stream-idle')
  expect(await reading.next()).toMatchObject({ event: 'changed', data: { items: [{ id: other }], gone: [] } })
  await api.ask(ann, 'POST', `/runs/${id}/cancel`, {})
  const last = (await reading.next())!
  expect(last).toMatchObject({ event: 'changed', data: { items: [], gone: [id] } })
  await reading.leave()

  const again = new Reading(await follow(api, ann, path, last.id))
  const third = await start(api, 'stream-idle')
  const news = (await again.next())!
  expect(news.data.items.map(({ id: one }) => one)).toContain(third)
  await again.leave()
})

test('a queue is followed by whoever is bound to nothing', async () => {
  const api = await openApi()
  const slug = pipeline('stream-queue').step('wait', { queue: 'followed' }, () => null)
  await registerPipeline(
    poolCaller(database.pool, { prepare: false, database: 'test' }),
    slug.slug,
    slug.graph,
  )
  const reading = new Reading(await follow(api, ann, '/queues/followed/events'))
  expect(await reading.next()).toMatchObject({
    event: 'queue',
    data: { queue: 'followed', ready: 0, held: 0 },
  })
  await start(api, 'stream-queue')
  expect(await reading.next()).toMatchObject({ event: 'queue', data: { ready: 1 } })
  await reading.leave()
  const bound = { name: 'bound', kind: 'key', tenant: 'a' } as const
  expect((await follow(api, bound, '/queues/followed/events')).status).toBe(403)
})

test('a key of another tenant follows neither a run nor a list that is not its own', async () => {
  const api = await openApi()
  const id = await start(api, 'stream-idle')
  const bound = { name: 'tenant b', kind: 'key', tenant: 'b' } as const
  expect((await follow(api, bound, `/runs/${id}/events`)).status).toBe(404)
  const reading = new Reading(await follow(api, bound, '/runs/events'))
  expect(await reading.next()).toMatchObject({ event: 'runs', data: { items: [] } })
  await reading.leave()
})

test('who is no longer let in is told nothing more: the credential is looked at again before anything is', async () => {
  let isRevoked = false
  let now = Date.now()
  const api = await openApi({
    now: () => now,
    authenticators: [() => Promise.resolve(isRevoked ? undefined : { actor: actorOf(ann), ambient: false })],
  })
  const id = await start(api, 'stream-idle')
  const reading = new Reading(await follow(api, ann, `/runs/${id}/events`))
  expect(await reading.next()).toMatchObject({ event: 'run' })
  isRevoked = true
  now += 1_000
  await database.query('select millrace.cancel_run($1)', [id])
  expect(await reading.next()).toBeUndefined()
})

test('a session that only a stream still shows ends for want of use, whatever the stream tells', async () => {
  let now = Date.now()
  await database.clock.freeze()
  const { add, person, server } = await openPeople({ sessions: { idleSeconds: 120 } }, { now: () => now })
  await add('idle@example.org')
  const ann = await person('idle@example.org')
  expect((await ann.ask('GET', '/auth/actor')).status).toBe(200)
  const stream = new Request(`${publicUrl}/runs/events?pipeline=stream-idle`, {
    headers: { cookie: ann.cookie, 'sec-fetch-site': 'same-origin' },
  })
  const reading = new Reading(await server.fetch(stream))
  const told = [(await reading.next())?.event]
  for (let seconds = 30; seconds <= 180 && told.at(-1) !== undefined; seconds += 30) {
    await database.clock.advance('30 seconds')
    now += 30_000
    await opened.client().start(idle, null)
    told.push((await reading.next())?.event)
  }
  expect(told).toEqual(['runs', 'changed', 'changed', 'changed', undefined])
  expect((await ann.ask('GET', '/auth/actor')).status).toBe(401)
})

test('where the credential cannot be looked at again the stream ends, and the log says why', async () => {
  let isBroken = false
  let now = Date.now()
  const look = { actor: actorOf(ann), ambient: false }
  const api = await openApi({
    now: () => now,
    authenticators: [
      () => (isBroken ? Promise.reject(new Error('nobody answers for them')) : Promise.resolve(look)),
    ],
  })
  const id = await start(api, 'stream-idle')
  const reading = new Reading(await follow(api, ann, `/runs/${id}/events`))
  expect(await reading.next()).toMatchObject({ event: 'run' })
  isBroken = true
  now += 1_000
  await database.query('select millrace.cancel_run($1)', [id])
  expect(await reading.next()).toBeUndefined()
  expect(api.log).toMatchObject([
    { event: 'stream.failed', follows: 'run', error: 'nobody answers for them' },
  ])
})

test('who may see payloads no longer is told no further part', async () => {
  let payloads = true
  let now = Date.now()
  const api = await openApi({
    now: () => now,
    authenticators: [() => Promise.resolve({ actor: actorOf({ ...ann, payloads }), ambient: false })],
  })
  const id = await start(api, 'stream-idle')
  const reading = new Reading(await follow(api, ann, `/runs/${id}/events`))
  expect(await reading.next()).toMatchObject({ event: 'run' })
  payloads = false
  now += 1_000
  await database.query('select millrace.cancel_run($1)', [id])
  expect(await reading.next()).toBeUndefined()
})

test('who is no longer let in is told nothing more of a stream that was there before, however slowly it is read', async () => {
  let isRevoked = false
  let now = Date.now()
  const api = await openApi({
    now: () => now,
    authenticators: [() => Promise.resolve(isRevoked ? undefined : { actor: actorOf(ann), ambient: false })],
  })
  release = new Arrival()
  release.arrive()
  await opened.worker({ pipelines: [talking] })
  const id = await start(api, 'stream-talking')
  await new Reading(await follow(api, ann, `/runs/${id}/events`)).until('end')
  const slow = new Reading(await follow(api, ann, `/runs/${id}/events`))
  await slow.until('part')
  isRevoked = true
  now += 1_000
  expect(await slow.next()).toBeUndefined()
})

test('C6 who asks for the head of a stream keeps none open', async () => {
  const api = await openApi({ streamsPerActorMax: 1 })
  const id = await start(api, 'stream-idle')
  const head = () =>
    api.server.fetch(
      new Request(`http://millrace.test/runs/${id}/events`, {
        method: 'HEAD',
        headers: { 'x-test-actor': ann.name },
      }),
    )
  expect([(await head()).status, (await head()).status]).toEqual([200, 200])
})

test('C6 a list that somebody follows is followed by others, however many lists there are', async () => {
  const api = await openApi()
  const many = Array.from(
    { length: 11 },
    (_, n) => ({ name: `one of many ${n}`, id: `many-${n}`, role: 'viewer' }) as const,
  )
  for (const one of many) await api.ask(one, 'GET', '/runs?limit=1')
  const list = (n: number) => follow(api, many[Math.floor(n / 10)]!, `/runs/events?tenant=tenant-${n}`)
  const all = await Promise.all(Array.from({ length: 100 }, (_, n) => list(n)))
  expect(all.map(({ status }) => status)).toEqual(all.map(() => 200))
  expect((await list(100)).status).toBe(429)
  const shared = await follow(api, many[10]!, '/runs/events?tenant=tenant-0')
  expect(shared.status).toBe(200)
  await Promise.all([...all, shared].map(({ body }) => body!.cancel()))
})

test('C6 whoever follows ten lists is refused another one, and keeps no list from others', async () => {
  const api = await openApi()
  const [greedy, other] = (['greedy', 'other'] as const).map(
    (name) => ({ name, id: name, kind: 'key', role: 'viewer' }) as const,
  )
  const list = (n: number, who = greedy!) => follow(api, who, `/runs/events?tenant=tenant-${n}`)
  const all: Response[] = []
  for (let n = 0; n < 10; n++) all.push(await list(n))
  expect(all.map(({ status }) => status)).toEqual(all.map(() => 200))
  const refused = await list(10)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '30'])
  const [again, theirs] = [await list(0), await list(10, other)]
  expect([again.status, theirs.status]).toEqual([200, 200])
  // One of two that follow a list leaves: it is followed still. Both have left: there is room for another one.
  await again.body!.cancel()
  expect((await list(10)).status).toBe(429)
  await all[0]!.body!.cancel()
  const last = await list(11)
  expect(last.status).toBe(200)
  await Promise.all([...all.slice(1), theirs, last].map(({ body }) => body!.cancel()))
})

test('C6 who follows a run by a token takes nothing from those who follow another run by tokens of the same key', async () => {
  const api = await openApi({ streamsPerActorMax: 2 })
  const tokens = { kind: 'token', id: 'the key that made them', role: 'viewer' } as const
  const [one, other] = [await start(api, 'stream-idle'), await start(api, 'stream-idle')]
  const open = (run: string) => follow(api, { ...tokens, name: `of ${run}`, run }, `/runs/${run}/events`)
  const all = [await open(one), await open(one), await open(other)]
  expect(all.map(({ status }) => status)).toEqual([200, 200, 200])
  expect((await open(one)).status).toBe(429)
  await Promise.all(all.map(({ body }) => body!.cancel()))
})

test('C6 one that follows too much is refused, and a stream that is left makes room', async () => {
  const api = await openApi({ streamsPerActorMax: 2, streamsMax: 3 })
  const id = await start(api, 'stream-idle')
  const open = async (who: Who) => follow(api, who, `/runs/${id}/events`)
  const [one, two] = [await open(ann), await open(ann)]
  expect([one.status, two.status]).toEqual([200, 200])
  const refused = await open(ann)
  expect(refused.status).toBe(429)
  expect(refused.headers.get('retry-after')).toBe('30')
  const bob = { name: 'bob@example.org', role: 'viewer', id: 'bob' } as const
  expect((await open(bob)).status).toBe(200)
  expect((await open({ name: 'eve@example.org', role: 'viewer', id: 'eve' })).status).toBe(429)
  await one.body!.cancel()
  expect((await open(ann)).status).toBe(200)
})

test('C6 three hundred that follow cost one statement a second while nothing happens, and all hear of what does', async () => {
  const api = await openApi({ streamsPerActorMax: 300 })
  const ids = await Promise.all(Array.from({ length: 20 }, () => start(api, 'stream-idle')))
  const readings = await Promise.all(
    Array.from(
      { length: 300 },
      async (_, n) => new Reading(await follow(api, ann, `/runs/${ids[n % 20]}/events`)),
    ),
  )
  const firsts = await Promise.all(readings.map((reading) => reading.next()))
  expect(new Set(firsts.map((event) => event?.event))).toEqual(new Set(['run']))

  const counted = countStatements()
  const from = performance.now()
  await until('some looks were taken', () => counted.sent.filter((name) => /as kind/.test(name)).length >= 3)
  const seconds = (performance.now() - from) / 1_000
  counted.stop()
  expect(counted.sent.length / seconds).toBeLessThan(2)
  expect(counted.sent.every((name) => /as kind/.test(name))).toBe(true)

  await Promise.all(ids.map((id) => api.ask(ann, 'POST', `/runs/${id}/cancel`, {})))
  const lasts = await Promise.all(readings.map((reading) => reading.until('end')))
  expect(lasts.every((events) => events.at(-1)?.data.state === 'cancelled')).toBe(true)
})

test('C6 a stream that is not read is held by its reader alone: nothing piles up for it', async () => {
  release = new Arrival()
  release.arrive()
  const api = await openApi()
  await opened.worker({ pipelines: [talking] })
  const id = await start(api, 'stream-talking')
  const slow = await follow(api, ann, `/runs/${id}/events`)
  await new Reading(await follow(api, ann, `/runs/${id}/events`)).until('end')
  // It is asked for only now, and has all of it, in order.
  const seen = await new Reading(slow).until('end')
  expect(seen.filter(({ event }) => event === 'part').map(({ data }) => data.value)).toEqual([
    'one',
    'two',
    'three',
  ])
})

test('C6 a connection that breaks makes room for another', async () => {
  const api = await openApi({ streamsPerActorMax: 1 })
  const id = await start(api, 'stream-idle')
  const listener = await listen(api.server.fetch, { port: 0 })
  const open = async () =>
    new Promise<http.IncomingMessage>((resolve, reject) => {
      const { port } = listener
      const headers = { 'x-test-actor': ann.name }
      http.get({ port, path: `/runs/${id}/events`, headers, agent: false }, resolve).on('error', reject)
    })
  try {
    const first = await open()
    expect(first.statusCode).toBe(200)
    const refused = await open()
    expect(refused.statusCode).toBe(429)
    first.destroy()
    refused.destroy()
    await until('there is room', async () => {
      const again = await open()
      again.destroy()
      return again.statusCode === 200
    })
  } finally {
    await listener.close()
  }
})

test('streams end when the server stops', async () => {
  const api = await openApi()
  const id = await start(api, 'stream-idle')
  const reading = new Reading(await follow(api, ann, `/runs/${id}/events`))
  await reading.next()
  api.server.drain()
  expect(await reading.next()).toBeUndefined()
})

test('a stream that breaks ends, and the log says why, without the text of the database', async () => {
  release = new Arrival()
  release.arrive()
  const api = await openApi()
  await opened.worker({ pipelines: [talking] })
  const id = await start(api, 'stream-talking')
  await opened.client().run(id).result()
  await database.query(`alter function millrace.follow_stream rename to follow_stream_away`)
  try {
    const reading = new Reading(await follow(api, ann, `/runs/${id}/events`))
    expect(await reading.next()).toMatchObject({ event: 'run' })
    expect(await reading.next()).toBeUndefined()
  } finally {
    await database.query(`alter function millrace.follow_stream_away rename to follow_stream`)
  }
  const failed = api.log.filter(({ event }) => event === 'stream.failed')
  expect(failed).toMatchObject([
    { level: 'error', follows: 'run', correlation_id: expect.any(String), sql_state: '42883' },
  ])
  expect(JSON.stringify(failed)).not.toContain('does not exist')
})
