// The sockets of the server: malformed requests are refused before anybody sees them, all is bounded, and what proxies say counts only from declared ones.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import type { Server } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { selfSigned } from '../../test/certificate.ts'
import { until } from '../../test/deadline.ts'
import { malformedRequests, requestHead, sendRaw } from '../../test/malformed-requests.ts'
import { Arrival } from '../../test/millrace.ts'
import { readBytes } from './body.ts'
import { streamsMaxDefault } from './event-stream.ts'
import { type Answering, bounds, listen, type Listener, type ListenOptions } from './listen.ts'
import type { Surroundings } from './server.ts'

const opened = new Set<Listener>()
afterEach(async () => {
  await Promise.all([...opened].map((listener) => listener.close()))
  opened.clear()
})

async function open(answering: Answering, options: Partial<ListenOptions> = {}): Promise<Listener> {
  const listener = await listen(answering, { port: 0, graceMs: 200, ...options })
  opened.add(listener)
  return listener
}

/** A handler that reads what it is given, and counts: whole requests, and those that broke off in their body. */
function counting() {
  const seen = { whole: 0, broken: 0, surroundings: [] as Surroundings[] }
  const answering: Answering = async (request, surroundings) => {
    seen.surroundings.push(surroundings)
    try {
      await readBytes(request, 1_000)
      seen.whole++
      return new Response(null, { status: 204 })
    } catch {
      seen.broken++
      return new Response(null, { status: 400 })
    }
  }
  return { seen, answering }
}

test('H5 each of thirty malformed requests gets 4xx and is closed: no handler sees a whole one, and each is counted', async () => {
  const { seen, answering } = counting()
  const refused: number[] = []
  const { port } = await open(answering, { onMalformed: (status) => refused.push(status) })
  const cases = malformedRequests('/runs')
  expect(cases.length).toBeGreaterThanOrEqual(30)
  for (const [what, text] of cases) {
    const answer = await sendRaw(port, [text, '{}'])
    expect(answer, what).toMatch(/^HTTP\/1\.1 4\d\d /)
    expect(answer, what).toMatch(/connection: close/i)
  }
  await until('each is counted once', () => refused.length === cases.length)
  expect(seen.whole).toBe(0)
  // A chunk that is wrong behind a head that is right: the handler had begun to read.
  expect(seen.broken).toBeLessThanOrEqual(4)
})

test('H5 the lenient parser is off', () => {
  expect(bounds).toMatchObject({ insecureHTTPParser: false })
})

test('H5 what is smuggled behind a whole request is a request of its own, or nothing', async () => {
  const { seen, answering } = counting()
  const { port } = await open(answering)
  const smuggled = `GET /admin HTTP/1.1\r\nHost: localhost\r\n\r\n`
  const answer = await sendRaw(port, [
    requestHead('/runs', ['Content-Length: 4', 'Transfer-Encoding: chunked']),
    `0\r\n\r\n${smuggled}`,
  ])
  expect(answer).toMatch(/^HTTP\/1\.1 400 /)
  expect(seen).toMatchObject({ whole: 0, broken: 0 })
})

test('H6 an unknown method is refused, and a header that names another method changes nothing', async () => {
  const methods: string[] = []
  const { port } = await open((request) => {
    methods.push(request.method)
    return Promise.resolve(new Response(null, { status: 204 }))
  })
  expect(await sendRaw(port, ['FLY /runs HTTP/1.1\r\nHost: localhost\r\n\r\n'])).toMatch(/^HTTP\/1\.1 400 /)
  await fetch(`http://127.0.0.1:${port}/runs`, {
    headers: { 'x-http-method-override': 'DELETE', 'x-http-method': 'DELETE', 'x-method-override': 'DELETE' },
  })
  expect(methods).toEqual(['GET'])
})

test('H6 forwarded addresses and schemes are ignored unless the proxy that sends them was declared', async () => {
  const forged = {
    'x-forwarded-for': '203.0.113.9',
    'x-forwarded-proto': 'https',
    forwarded: 'for=203.0.113.9',
  }
  const alone = counting()
  const strict = await open(alone.answering)
  await fetch(`http://127.0.0.1:${strict.port}/`, { headers: forged })
  expect(alone.seen.surroundings).toEqual([{ remoteAddress: '127.0.0.1', secure: false, local: false }])

  const behind = counting()
  const declared = await open(behind.answering, { trustedProxies: ['127.0.0.1'] })
  await fetch(`http://127.0.0.1:${declared.port}/`, { headers: forged })
  // What somebody wrote before the proxy did counts as little as before.
  await fetch(`http://127.0.0.1:${declared.port}/`, {
    headers: { 'x-forwarded-for': '10.9.9.9, 203.0.113.7', 'x-forwarded-proto': 'https, http' },
  })
  expect(behind.seen.surroundings).toEqual([
    { remoteAddress: '203.0.113.9', secure: true, local: false },
    { remoteAddress: '203.0.113.7', secure: false, local: false },
  ])
})

test('PP-S9 only what comes from this machine, under its own name, with nobody between, is local', async () => {
  const { seen, answering } = counting()
  const { port } = await open(answering)
  await fetch(`http://127.0.0.1:${port}/`)
  await fetch(`http://localhost:${port}/`)
  // A page whose own name was pointed here says its name.
  await sendRaw(port, [`GET / HTTP/1.1\r\nHost: rebound.example:${port}\r\n\r\n`])
  expect(seen.surroundings.map(({ local }) => local)).toEqual([true, true, false])
  // A proxy on this machine says by some header or other that it is one.
  for (const name of ['x-forwarded-proto', 'x-forwarded-port', 'via', 'cf-connecting-ip', 'true-client-ip'])
    await fetch(`http://localhost:${port}/`, { headers: { [name]: '1' } })
  expect(seen.surroundings.slice(3).map(({ local }) => local)).toEqual(Array(5).fill(false))
})

test('H4 a head or a body that comes in a trickle gets 408, too large a head 431, and beyond the most connections no other is heard', async () => {
  const { seen, answering } = counting()
  const refused: number[] = []
  const { port } = await open(answering, { onMalformed: (status) => refused.push(status) })
  const server = await serverAt(port)
  expect(server).toMatchObject({
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    maxConnections: streamsMaxDefault + 3_000,
    maxHeadersCount: 100,
    maxRequestsPerSocket: 1_000,
  })
  expect(await sendRaw(port, [requestHead('/', [`X-Large: ${'a'.repeat(17_000)}`])])).toMatch(
    /^HTTP\/1\.1 431 /,
  )

  // What takes half a minute otherwise.
  Object.assign(server, { headersTimeout: 50, requestTimeout: 100 })
  const whole = seen.whole
  const head = requestHead('/', ['Content-Length: 10'])
  for (const pieces of [[head.slice(0, 40)], [head, '{']])
    expect(await sendRaw(port, pieces)).toMatch(/^HTTP\/1\.1 408 [^]*connection: close/i)
  expect(refused).toEqual([431, 408, 408])
  expect(seen.whole).toBe(whole)

  Object.assign(server, { headersTimeout: 10_000, requestTimeout: 30_000 })
  const kept = net.connect(port, '127.0.0.1')
  await once(kept, 'connect')
  await until('it is the only one', () => connectionsOf(server).then((count) => count === 1))
  server.maxConnections = 1
  expect(await sendRaw(port, [requestHead('/', ['Content-Length: 0'])]).catch(() => '')).toBe('')
  kept.destroy()
  await until('it is gone', () => connectionsOf(server).then((count) => count === 0))
  expect(await sendRaw(port, [requestHead('/', ['Content-Length: 0'])])).toMatch(/^HTTP\/1\.1 204 /)
})

/** The server of Node's behind a port, which tells of itself as it hears a request. */
async function serverAt(port: number): Promise<Server> {
  const heard: Server[] = []
  const hear = (message: unknown) => heard.push((message as { readonly server: Server }).server)
  subscribe('http.server.request.start', hear)
  try {
    await sendRaw(port, [requestHead('/', ['Content-Length: 0'])])
  } finally {
    unsubscribe('http.server.request.start', hear)
  }
  return heard.find((server) => (server.address() as AddressInfo).port === port)!
}

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
  )
}

test('H4 who says nothing while TLS begins is cut, and so is who does not speak it', async () => {
  const { cert, key } = selfSigned()
  const { port } = await open(counting().answering, {
    tls: { certificate: cert, key },
    stalledMs: 200,
  })
  for (const said of ['', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n']) {
    const socket = net.connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.resume()
    if (said !== '') socket.write(said)
    await new Promise((resolve) => socket.on('close', resolve))
  }
})

test('H4 who takes nothing of an answer is cut, and a handler that takes its time is not', async () => {
  const begun = new Arrival()
  const cut = new Arrival()
  const { port } = await open(
    async (request) => {
      if (request.url.endsWith('/slow')) {
        begun.arrive()
        // Longer than the bound: until it has cut one that came later.
        await cut.come
        return new Response('done')
      }
      const chunk = new Uint8Array(65_536)
      return new Response(
        new ReadableStream({
          pull: (parts) => parts.enqueue(chunk),
          cancel: () => cut.arrive(),
        }),
      )
    },
    { stalledMs: 100 },
  )
  const slow = fetch(`http://127.0.0.1:${port}/slow`)
  await begun.come
  const stalled = net.connect(port, '127.0.0.1')
  stalled.on('error', () => {})
  stalled.pause()
  stalled.write('GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n')
  expect(await (await slow).text()).toBe('done')
  stalled.destroy()
})

test('it closes with what is under way answered, and cuts what outlives its grace', async () => {
  const begun = new Arrival()
  const go = new Arrival()
  const listener = await listen(
    async () => {
      begun.arrive()
      await go.come
      return new Response('done')
    },
    { port: 0 },
  )
  const asking = fetch(`http://127.0.0.1:${listener.port}/`)
  await begun.come
  const closing = listener.close()
  go.arrive()
  expect(await (await asking).text()).toBe('done')
  await closing

  const endless = await listen(
    () => Promise.resolve(new Response(new ReadableStream({ pull: () => new Promise(() => {}) }))),
    { port: 0, graceMs: 50 },
  )
  const cut = new Promise((resolve) => {
    const socket = net.connect(endless.port, '127.0.0.1', () =>
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    )
    socket.once('data', () => void endless.close())
    socket.on('close', resolve)
  })
  await cut
})

test('it serves over TLS where it has a certificate, and says so', async () => {
  const { cert, key } = selfSigned()
  const { seen, answering } = counting()
  const { port } = await open(answering, { tls: { certificate: cert, key } })
  const { get } = await import('node:https')
  const status = await new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/', ca: cert, rejectUnauthorized: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    }).on('error', reject)
  })
  expect(status).toBe(204)
  expect(seen.surroundings).toMatchObject([{ secure: true }])
})
