// The server of webhooks over real sockets: what HTTP itself can do wrong ends there, and costs no memory and no run.
import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../test/deadline.ts'
import { malformedRequests, requestHead, sendRaw } from '../../test/malformed-requests.ts'
import { openMillrace } from '../../test/millrace.ts'
import { standardHeaders } from '../../test/webhook-sender.ts'
import { senderAddress } from '../core/ip-ranges.ts'
import { connect } from '../sdk/client.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { webhook } from '../sdk/webhook.ts'
import type { Listener } from './listen.ts'
import { listenForWebhooks } from './webhook-server.ts'

const { database } = await openMillrace()
const client = connect({ database: database.url, encryptionKeys: { k1: randomBytes(32).toString('base64') } })
const secret = `whsec_${Buffer.alloc(32, 5).toString('base64')}`
const echo = pipeline('echo').step('say', ({ input }) => input)
const inbox = webhook('people', {
  provider: 'standard',
  secret: 'hooks/people',
  pipeline: echo,
  bodyLimit: 1_000,
})
let server: Listener

beforeAll(async () => {
  await client.secrets.set('hooks/people', { value: secret })
  server = await listenForWebhooks(client.webhooks.handler([inbox], { bodyMs: 300 }), { port: 0 })
})
afterAll(async () => {
  await server.close()
  await client.close()
})

const address = () => `http://127.0.0.1:${server.port}/webhooks/people`
const runs = async () =>
  (await database.query<{ n: number }>('select count(*)::int as n from millrace.run'))[0]!.n

const path = '/webhooks/people'
const raw = (pieces: ReadonlyArray<string | Buffer>) => sendRaw(server.port, pieces)
const head = (headers: string[]) => requestHead(path, headers)

test('H4 it listens on the loopback address, and takes a signed delivery over a connection that stays', async () => {
  expect(server.host).toBe('127.0.0.1')
  for (const id of ['one', 'two', 'one']) {
    const body = JSON.stringify({ id })
    const response = await fetch(address(), {
      method: 'POST',
      body,
      headers: standardHeaders(body, { id, secret }),
    })
    expect(response.status).toBe(202)
  }
  expect(await runs()).toBe(2)
  expect((await fetch(`http://127.0.0.1:${server.port}/other`, { method: 'POST' })).status).toBe(404)
})

test('H4 a body beyond the limit gets 413 before all of it was sent, whether its length is told or it comes in chunks', async () => {
  const told = await raw([head(['Content-Length: 100000000']), 'x'.repeat(100)])
  expect(told).toMatch(/^HTTP\/1\.1 413 /)
  const chunk = `3e8\r\n${'x'.repeat(1_000)}\r\n`
  const chunked = await raw([head(['Transfer-Encoding: chunked']), chunk, chunk])
  expect(chunked).toMatch(/^HTTP\/1\.1 413 /)
  const bomb = gzipSync(Buffer.alloc(900_000))
  expect(await raw([head(['Content-Encoding: gzip', `Content-Length: ${bomb.length}`]), bomb])).toMatch(
    /^HTTP\/1\.1 415 /,
  )
})

test('H4 a large body within its limit is taken, whether its length is told or it comes in chunks', async () => {
  const large = webhook('large', { provider: 'standard', secret: 'hooks/people', pipeline: echo })
  const second = await listenForWebhooks(client.webhooks.handler([large]), { port: 0 })
  const body = JSON.stringify({ text: 'x'.repeat(300_000) })
  try {
    for (const [id, sent] of [
      ['told', body],
      ['chunked', new Blob([body]).stream()],
    ] as const) {
      const init = {
        method: 'POST',
        headers: standardHeaders(body, { id, secret }),
        body: sent,
        duplex: 'half',
      }
      const response = await fetch(`http://127.0.0.1:${second.port}/webhooks/large`, init as RequestInit)
      expect(response.status).toBe(202)
    }
  } finally {
    await second.close()
  }
})

test('H4 a body that never ends, and one that is shorter than it said, get 408', async () => {
  expect(await raw([head(['Transfer-Encoding: chunked']), '1\r\n{\r\n'])).toMatch(/^HTTP\/1\.1 408 /)
  expect(await raw([head(['Content-Length: 10']), '{'])).toMatch(/^HTTP\/1\.1 408 /)
})

test('H4 headers have bounds: 16 KB of them, and a hundred', async () => {
  expect(await raw([head([`X-Large: ${'a'.repeat(17_000)}`, 'Content-Length: 0'])])).toMatch(
    /^HTTP\/1\.1 431 /,
  )
  const before = await runs()
  const many = Array.from({ length: 150 }, (_, n) => `X-${n}: a`)
  const answer = await raw([head([...many, 'Content-Length: 2']), '{}'])
  // What stands behind the hundredth header is not there: also not its length.
  expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /)
  expect(await runs()).toBe(before)
})

test.each(malformedRequests(path))(
  'H5 a request with %s is refused with 4xx, and starts nothing',
  async (_, text) => {
    const before = await runs()
    const answer = await raw([text, '{}'])
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /)
    expect(answer).toMatch(/connection: close/i)
    expect(await runs()).toBe(before)
  },
)

test('H5 names with %00, slashes or nothing are names that no webhook has', async () => {
  for (const name of ['people%00', '%2e%2e%2fpeople', 'people%2F', 'PEOPLE', '%F0%9F%98%80']) {
    const response = await fetch(`http://127.0.0.1:${server.port}/webhooks/${name}`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    })
    expect([401, 404], name).toContain(response.status)
  }
})

test('H6 X-Forwarded-For counts only from a proxy that is trusted, and only as far as those are', () => {
  const trusted = ['10.0.0.0/8']
  expect(senderAddress('192.0.2.1', '203.0.113.9', trusted)).toBe('192.0.2.1')
  expect(senderAddress('10.0.0.1', '203.0.113.9', [])).toBe('10.0.0.1')
  expect(senderAddress('10.0.0.1', '203.0.113.9', trusted)).toBe('203.0.113.9')
  expect(senderAddress('::ffff:10.0.0.1', '198.51.100.1, 203.0.113.9, 10.0.0.2', trusted)).toBe('203.0.113.9')
  expect(senderAddress('10.0.0.1', undefined, trusted)).toBe('10.0.0.1')
  // Some proxies write the port as well, which is another one each time.
  expect(senderAddress('10.0.0.1', '203.0.113.9:50123', trusted)).toBe('203.0.113.9')
  expect(senderAddress('10.0.0.1', '203.0.113.9:50123, 10.0.0.2:443', trusted)).toBe('203.0.113.9')
  expect(senderAddress('10.0.0.1', '[2001:db8::1]:50123', trusted)).toBe('2001:db8::1')
  expect(senderAddress('10.0.0.1', '2001:db8::1', trusted)).toBe('2001:db8::1')
})

test('H4 a request that is under way is answered while the server closes', async () => {
  const second = await listenForWebhooks(client.webhooks.handler([inbox]), { port: 0 })
  const body = '{"id":"last"}'
  const sending = fetch(`http://127.0.0.1:${second.port}/webhooks/people`, {
    method: 'POST',
    body,
    headers: standardHeaders(body, { id: 'last', secret }),
  })
  await until(
    'it was received',
    async () =>
      (await database.query(`select 1 from millrace.delivery where provider_id = 'last'`)).length === 1,
  )
  const [response] = await Promise.all([sending, second.close()])
  expect(response.status).toBe(202)
})
