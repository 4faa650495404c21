// The way out to addresses that users give, against hostile ones: in every form, as answers of name servers, as targets of redirects.
import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer, Socket } from 'node:net'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { selfSigned } from '../../test/certificate.ts'
import { hostileAnswers, hostileHosts, hostileUrls } from '../../test/hostile-addresses.ts'
import { safeFetch, type SafeFetchOptions } from './safe-fetch.ts'
import { checkAllowedTargets, checkTarget } from './target.ts'

let canary: TcpServer
let port: number
let reached = 0

beforeAll(async () => {
  canary = createTcpServer((socket) => {
    reached += 1
    socket.destroy()
  })
  await new Promise<void>((listening) => canary.listen(0, '::', listening))
  port = (canary.address() as AddressInfo).port
})

afterAll(() => canary.close())

test('J1 SH-7 none of more than 120 forms of hostile addresses reaches a server of the inside', async () => {
  const urls = [
    ...hostileHosts.map((host) => `https://${host}:${port}/latest/meta-data`),
    ...hostileUrls.map((url) => url.replace('PORT', String(port))),
  ]
  expect(urls.length).toBeGreaterThan(120)
  const outcomes = await Promise.all(urls.map(async (url) => [url, await codeOf(url)] as const))
  expect(outcomes.filter(([, code]) => code !== 'target_refused')).toEqual([])
  expect(reached).toBe(0)
  // The canary would have noticed.
  expect(await codeOf(`https://127.0.0.1:${port}/`, { allow: ['127.0.0.0/8'] })).toBe('fetch_failed')
  expect(reached).toBe(1)
  reached = 0
})

test('J1 SH-7 a public name that resolves to an address of the inside is refused, alone and beside a public address', async () => {
  for (const address of hostileAnswers) {
    const answer = { address, family: address.includes(':') ? 6 : 4 }
    const open = { address: '93.184.215.14', family: 4 }
    for (const found of [[answer], [open, answer], [answer, open]]) {
      const code = await codeOf(`https://hooks.example.com:${port}/`, {
        resolve: () => Promise.resolve(found),
      })
      expect([address, code]).toEqual([address, 'target_refused'])
    }
  }
  expect(reached).toBe(0)
})

test('J1 H9 a redirect to any hostile address, to http or in a loop is an answer and is not followed', async () => {
  let location = ''
  let asked = 0
  const origin = await serve((_request, response) => {
    asked += 1
    response.writeHead(302, { location }).end()
  })
  const targets = [
    ...hostileHosts.map((host) => `https://${encodeURI(host)}:${port}/`),
    ...hostileHosts.map((host) => `http://${encodeURI(host)}:${port}/`),
    `${origin}/again`,
  ]
  for (location of targets) {
    const { status } = await safeFetch(`${origin}/`, { allow: [origin] })
    expect(status).toBe(302)
  }
  expect(asked).toBe(targets.length)
  expect(reached).toBe(0)
})

test('J2 SH-7 a name whose second answer is 127.0.0.1 is connected to the address that was checked, under its own name', async () => {
  const { resolver, questions } = await rebindingResolver(['203.0.113.9', '127.0.0.1'])
  const resolve = async (host: string) =>
    (await resolver.resolve4(host)).map((address) => ({ address, family: 4 }))
  // The first address stands for a public one: nothing answers there, and nothing may be sent to the second instead.
  const code = await codeOf(`https://rebind.example.com:${port}/`, {
    resolve,
    allow: ['203.0.113.9'],
    timeoutMs: 300,
  })
  expect(['fetch_timeout', 'fetch_failed']).toContain(code)
  expect(questions()).toBe(1)
  expect(await codeOf(`https://rebind.example.com:${port}/`, { resolve })).toBe('target_refused')
  expect(reached).toBe(0)
  const hosts: (string | undefined)[] = []
  const origin = await serve((request, response) => {
    hosts.push(request.headers.host)
    response.end('here')
  })
  const url = origin.replace('127.0.0.1', 'hooks.example.com')
  const { body } = await safeFetch(url, {
    allow: [url, '127.0.0.1'],
    resolve: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
  })
  expect(Buffer.from(body).toString()).toBe('here')
  expect(hosts).toEqual([new URL(url).host])
})

test('H9 SH-7 an answer without end, one byte a second, and one that never comes are given up at their bounds', async () => {
  const origin = await serve((request, response) => {
    if (request.url === '/huge') {
      response.writeHead(200, { 'content-length': '10000000000' })
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      }
      response.on('drain', more)
      more()
    } else if (request.url === '/slow') response.writeHead(200).write('.')
  })
  const allow = [origin]
  expect(await codeOf(`${origin}/huge`, { allow })).toBe('answer_too_large')
  expect(await codeOf(`${origin}/slow`, { allow, timeoutMs: 200 })).toBe('fetch_timeout')
  expect(await codeOf(`${origin}/never`, { allow, timeoutMs: 200 })).toBe('fetch_timeout')
  for (const path of ['/huge', '/slow']) {
    const { status, body } = await safeFetch(`${origin}${path}`, { allow, ignoreBody: true })
    expect([status, body.length]).toEqual([200, 0])
  }
})

test('H9 a certificate that nobody vouches for is refused, whatever the address', async () => {
  let asked = 0
  const server = createTlsServer(selfSigned(), (_request, response) => {
    asked += 1
    response.end()
  })
  const { port: tlsPort } = await listen(server)
  const error = await errorOf(`https://127.0.0.1:${tlsPort}/`, { allow: ['127.0.0.1'] })
  expect(error).toMatchObject({ code: 'fetch_failed', fields: { reason: 'DEPTH_ZERO_SELF_SIGNED_CERT' } })
  expect(asked).toBe(0)
})

test('a connection that was reset at once, so that nobody knows its address, is one that failed', async () => {
  const origin = await serve((_request, response) => response.end())
  // What Node asks the system, and keeps for itself.
  const prototype = Socket.prototype as Socket & { _getpeername(): { address?: string } }
  const asked = vi.spyOn(prototype, '_getpeername').mockReturnValue({})
  onTestFinished(() => asked.mockRestore())
  const error = await errorOf(`${origin}/`, { allow: [origin] })
  expect(error).toMatchObject({ code: 'fetch_failed', fields: { reason: 'ECONNRESET' } })
})

test('what is sent arrives: method, headers, body; what comes back is told', async () => {
  const origin = await serve((request, response) => {
    response.setHeader('set-cookie', ['a=1', 'b=2'])
    response.writeHead(201, { 'Retry-After': '7' })
    response.write(`${request.method} ${String(request.headers['x-a'])} `)
    request.pipe(response)
  })
  const answer = await safeFetch(origin, {
    method: 'POST',
    headers: { 'x-a': 'b' },
    body: 'text',
    allow: [origin],
  })
  expect(answer).toMatchObject({ status: 201, headers: { 'retry-after': '7', 'set-cookie': 'a=1, b=2' } })
  expect(Buffer.from(answer.body).toString()).toBe('POST b text')
})

test('an abort of the caller ends a request with its own reason', async () => {
  const origin = await serve(() => {})
  const abort = new AbortController()
  const under = safeFetch(origin, { allow: [origin], signal: abort.signal, timeoutMs: 60_000 })
  abort.abort(new Error('stopped'))
  await expect(under).rejects.toThrow('stopped')
  await expect(safeFetch(origin, { allow: [origin], signal: abort.signal })).rejects.toThrow('stopped')
})

test('SH-7 an error tells neither what a name resolves to, nor a path, nor a password', async () => {
  const inside = await errorOf('https://hooks.example.com/services/T0/secret', {
    resolve: () => Promise.resolve([{ address: '10.20.30.40', family: 4 }]),
  })
  const login = await errorOf('https://user:hunter2@hooks.example.com/services/T0/secret')
  const refused = await errorOf('https://127.0.0.1:1/services/T0/secret', { allow: ['127.0.0.1'] })
  for (const error of [inside, login, refused])
    expect(JSON.stringify([error, Reflect.get(error, 'message'), Reflect.get(error, 'stack')])).not.toMatch(
      /10\.20|hunter2|secret"/,
    )
  expect(await errorOf('https://hooks.example.com/', { headers: { Host: 'inside' } })).toMatchObject({
    code: 'target_refused',
    fields: { reason: 'header' },
  })
})

test('what is allowed is exactly what the list names', () => {
  const code = (url: string, ...allow: string[]) => {
    try {
      return checkTarget(url, allow).href
    } catch (error) {
      return Reflect.get(error as object, 'fields')
    }
  }
  expect(code('http://hooks.internal:8080/x', 'http://hooks.internal:8080')).toBe(
    'http://hooks.internal:8080/x',
  )
  expect(code('http://hooks.internal:8081/x', 'http://hooks.internal:8080')).toMatchObject({
    reason: 'scheme',
  })
  expect(code('https://hooks.internal/x', 'http://hooks.internal')).toMatchObject({ reason: 'name' })
  expect(code('https://hooks.internal/x', 'hooks.internal')).toBe('https://hooks.internal/x')
  expect(code('https://other.internal/x', 'hooks.internal')).toMatchObject({ reason: 'name' })
  expect(code('https://10.1.2.3/x', '10.0.0.0/8')).toBe('https://10.1.2.3/x')
  expect(code('https://[::ffff:10.1.2.3]/x', '10.0.0.0/8')).toMatch(/^https/)
  for (const entry of ['::ffff:10.0.0.0/104', '::ffff:10.1.2.3'])
    expect(code('https://10.1.2.3/x', entry)).toBe('https://10.1.2.3/x')
  expect(code('https://11.1.2.3/x')).toMatch(/^https/)
  expect(code('https://192.168.2.3/x', '10.0.0.0/8')).toMatchObject({ reason: 'address' })
  expect(code('https://[fd00::5]/x', 'fd00::/8')).toMatch(/^https/)
  expect(code('https://user:pw@10.1.2.3/x', '10.0.0.0/8')).toMatchObject({ reason: 'credentials' })
  expect(
    checkAllowedTargets([
      '10.0.0.0/8',
      '10.1.2.3',
      'fd00::/8',
      '::1',
      'hooks.internal',
      'http://a.b:80'.slice(0, 10),
    ]),
  ).toHaveLength(6)
  const misspelt = [
    '*',
    '10.0.0.0/99',
    'http://a.b/path',
    'Hooks.Internal',
    '',
    '10.0.0',
    '256.1.1.1',
    '10/8',
    '::ffff:10.0.0.0/90',
  ]
  for (const entry of misspelt)
    expect(() => checkAllowedTargets([entry])).toThrow(expect.objectContaining({ code: 'target_invalid' }))
})

async function errorOf(url: string, options: SafeFetchOptions = {}): Promise<object> {
  return await safeFetch(url, { resolve: noName, ...options }).then(
    ({ status }) => ({ code: `answered ${status}` }),
    (error: object) => error,
  )
}

async function codeOf(url: string, options: SafeFetchOptions = {}): Promise<unknown> {
  return Reflect.get(await errorOf(url, options), 'code')
}

/** What resolves without this test's leave would leave the machine. */
const noName = () => Promise.resolve([{ address: '127.0.0.1', family: 4 }])

async function serve(answer: RequestListener): Promise<string> {
  const { port: own } = await listen(createServer(answer))
  return `http://127.0.0.1:${own}`
}

async function listen(server: Server | ReturnType<typeof createTlsServer>): Promise<AddressInfo> {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return server.address() as AddressInfo
}

/** A name server of its own, which gives each question the next of these addresses. */
async function rebindingResolver(addresses: readonly string[]) {
  let asked = 0
  const socket = createSocket('udp4')
  socket.on('message', (question, { port: from, address }) => {
    const next = addresses[Math.min(asked, addresses.length - 1)] ?? ''
    asked += 1
    const head = Buffer.from(question.subarray(0, 12))
    head.writeUInt16BE(0x8180, 2)
    head.writeUInt16BE(1, 6)
    head.writeUInt16BE(0, 10)
    const end = question.indexOf(0, 12) + 5
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...next.split('.').map(Number)])
    socket.send(Buffer.concat([head, question.subarray(12, end), record]), from, address)
  })
  await new Promise<void>((bound) => socket.bind(0, '127.0.0.1', bound))
  onTestFinished(() => void socket.close())
  const resolver = new Resolver()
  resolver.setServers([`127.0.0.1:${socket.address().port}`])
  return { resolver, questions: () => asked }
}
