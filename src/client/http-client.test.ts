// The client over HTTP against a real server: typed calls, errors by their codes, pages, and what is sent again.
import { expect, test } from 'vitest'
import { servedApiOn } from '../../test/http.ts'
import { openMillrace } from '../../test/millrace.ts'
import { pipeline } from '../sdk/pipeline.ts'
import { connectHttp } from './http-client.ts'
import { each } from './pages.ts'

const { database, opened } = await openMillrace()
const serveApi = servedApiOn(database)
const sweep = pipeline('client-sweep').step('search', () => 1)

async function served(): Promise<string> {
  await opened.client().start(sweep, null)
  const { url } = await serveApi({
    ann: { role: 'operator' },
    of_b: { role: 'operator', kind: 'key', tenant: 'b' },
  })
  return url
}

async function countRuns(tenant: string): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    'select count(*)::int n from millrace.run where tenant = $1',
    [tenant],
  )
  return row!.n
}

test('a program starts, lists and cancels runs by the verbs of the API, and gets errors by their codes', async () => {
  const url = await served()
  const client = connectHttp({ url, key: 'ann' })

  const started = await client.startRun({
    body: { pipeline: 'client-sweep', input: { state: 'TX' }, tenant: 'a' },
  })
  expect(started).toMatchObject({ created: true })
  const run = started.run!.id
  expect(await client.cancelRun({ params: { run }, body: { reason: 'enough' } })).toEqual({ changed: true })
  const { items } = await client.listRuns({ query: { tenant: 'a', limit: 5 } })
  expect(items).toMatchObject([{ id: run, state: 'cancelled' }])

  await expect(client.cancelRun({ params: { run }, body: {}, ifRevision: 9 })).rejects.toMatchObject({
    name: 'MillraceError',
    code: 'revision_conflict',
    fields: { status: 409, correlation_id: expect.any(String) },
  })
  const foreign = connectHttp({ url, key: 'of_b' })
  await expect(foreign.cancelRun({ params: { run }, body: {} })).rejects.toMatchObject({ code: 'not_found' })
  await expect(connectHttp({ url }).listRuns()).rejects.toMatchObject({ code: 'not_signed_in' })
  await expect(client.cancelRun({ params: { run: '..' }, body: {} })).rejects.toMatchObject({
    code: 'argument_invalid',
  })
})

test('a list is read item by item, page after page', async () => {
  const client = connectHttp({ url: await served(), key: 'ann' })
  for (let index = 0; index < 5; index++)
    await client.startRun({ body: { pipeline: 'client-sweep', tenant: 'pages' } })
  const found: string[] = []
  for await (const run of each(client.listRuns, { query: { tenant: 'pages', limit: 2 } })) found.push(run.id)
  expect(found).toEqual([...found].toSorted().reverse())
  expect(new Set(found).size).toBe(5)
})

test('a start whose answer is lost is sent again, and is one run', async () => {
  let lost = 0
  const client = connectHttp({
    url: await served(),
    key: 'ann',
    retryDelayMs: 1,
    fetch: async (request, init) => {
      const response = await fetch(request, init)
      if (lost++ > 1) return response
      await response.text()
      throw new TypeError('the connection was lost')
    },
  })
  const { created } = await client.startRun({ body: { pipeline: 'client-sweep', tenant: 'lost' } })
  expect(created).toBe(true)
  expect(lost).toBe(3)
  expect(await countRuns('lost')).toBe(1)
})

test('a field that is there and undefined is as if it were left out: what is sent again carries the same id or key', async () => {
  const sent: string[] = []
  const client = connectHttp({
    url: await served(),
    key: 'ann',
    retryDelayMs: 1,
    fetch: async (request, init) => {
      const response = await fetch(request, init)
      sent.push(new Headers(init?.headers).get('idempotency-key') ?? JSON.parse(init?.body as string).run)
      if (sent.length % 2 === 0) return response
      await response.text()
      throw new TypeError('the connection was lost')
    },
  })
  const started = await client.startRun({
    body: { pipeline: 'client-sweep', tenant: 'undefined', run: undefined },
  })
  expect(started.created).toBe(true)
  expect(await countRuns('undefined')).toBe(1)
  // As JavaScript, or whoever spreads options of their own, writes it.
  const options: object = { idempotencyKey: undefined }
  const cancelled = await client.cancelRun({ params: { run: started.run!.id }, body: {}, ...options })
  expect(cancelled).toEqual({ changed: true })
  expect(sent[0]).toMatch(/^[0-9a-f-]{36}$/)
  expect(sent).toEqual([sent[0], sent[0], sent[2], sent[2]])
  expect(sent[2]).toMatch(/^[0-9a-f-]{36}$/)
})

test('a server that cannot be reached, is busy or is none says so by its code', async () => {
  let sent = 0
  const answering = (make: () => Response) =>
    connectHttp({
      url: 'https://millrace.test',
      retryDelayMs: 1,
      retriesMax: 2,
      fetch: () => {
        sent++
        return Promise.resolve(make())
      },
    })
  await expect(answering(() => new Response('busy', { status: 503 })).listRuns()).rejects.toMatchObject({
    code: 'server_unavailable',
  })
  expect(sent).toBe(3)
  const later = answering(() => new Response('', { status: 429, headers: { 'retry-after': '3600' } }))
  await expect(later.listRuns()).rejects.toMatchObject({
    code: 'too_many_requests',
    fields: { retry_after_seconds: 3600 },
  })
  expect(sent).toBe(4)
  await expect(answering(() => new Response('<html>')).listRuns()).rejects.toMatchObject({
    code: 'answer_invalid',
  })
  const moved = answering(
    () => new Response(null, { status: 302, headers: { location: 'https://else.test' } }),
  )
  await expect(moved.listRuns()).rejects.toMatchObject({ code: 'answer_invalid' })
  const gone = connectHttp({ url: 'http://127.0.0.1:1', retriesMax: 0 })
  await expect(gone.listRuns()).rejects.toMatchObject({ code: 'server_unreachable' })
  expect(() => connectHttp({ url: 'postgres://x' })).toThrow(/no address of a server/)
  expect(() => connectHttp({ url: 'https://millrace.test', key: 'canary\n1' })).toThrow(
    /^(?!.*canary).*no key has/,
  )
})

test('an idempotency key that no header takes is refused by its name, and nothing is sent', async () => {
  let sent = 0
  const client = connectHttp({
    url: 'https://millrace.test',
    retriesMax: 0,
    fetch: () => {
      sent++
      return Promise.resolve(Response.json({ changed: true }))
    },
  })
  for (const text of ['Bestellung–42', '🚚', 'two\nlines', '', 'x'.repeat(256)]) {
    const cancelled = client.cancelRun({ params: { run: '1' }, body: {}, idempotencyKey: text })
    await expect(cancelled).rejects.toThrow('idempotencyKey is not valid')
    expect(() => client.followRun({ params: { run: '1' }, lastEventId: text })).toThrow(
      'lastEventId is not valid',
    )
  }
  expect(sent).toBe(0)
})

test('health that is red is told as it is, and only a server that says nothing of it is none', async () => {
  const red = { status: 'red', reasons: ['no_worker'] }
  const telling = (make: () => Response) =>
    connectHttp({ url: 'https://millrace.test', retriesMax: 0, fetch: () => Promise.resolve(make()) })
  expect(await telling(() => Response.json(red, { status: 503 })).checkHealth()).toEqual(red)
  for (const make of [
    () => new Response('busy', { status: 503 }),
    () =>
      Response.json(
        { code: 'server_unavailable' },
        { status: 503, headers: { 'content-type': 'application/problem+json' } },
      ),
  ])
    await expect(telling(make).checkHealth()).rejects.toMatchObject({ code: 'server_unavailable' })
})

test('a signal ends a call, while it waits to be sent again as well', async () => {
  const ending = new AbortController()
  const client = connectHttp({
    url: 'https://millrace.test',
    retryDelayMs: 60_000,
    fetch: () => {
      queueMicrotask(() => ending.abort(new Error('enough')))
      return Promise.resolve(new Response('', { status: 503 }))
    },
  })
  await expect(client.listRuns({ signal: ending.signal })).rejects.toThrow('enough')
})

test('a run is followed to its end over connections that break: each part once and in order', async () => {
  const url = await served()
  await opened.worker({ pipelines: [talk] })
  const { run } = await opened.client().start(talk, null)
  let connections = 0
  const client = connectHttp({
    url,
    key: 'ann',
    retryDelayMs: 1,
    fetch: async (request, init) => {
      const response = await fetch(request, init)
      return ++connections < 3 ? new Response(brokenOff(response.body!, 900), response) : response
    },
  })
  const parts: unknown[] = []
  let end: unknown
  for await (const { event, data } of client.followRun({ params: { run: run!.id } })) {
    if (event === 'part') parts.push((data as { value: unknown }).value)
    if (event === 'end') end = data
  }
  expect(parts).toEqual(Array.from({ length: partCount }, (_, n) => n))
  expect(end).toMatchObject({ state: 'completed' })
  expect(connections).toBeGreaterThan(1)
})

const partCount = 20
const talk = pipeline('client-talk').step('say', async ({ stream }) => {
  for (let n = 0; n < partCount; n++) await stream.write(n)
})

/** A body that breaks off after so many bytes. */
function brokenOff(body: ReadableStream<Uint8Array>, bytes: number): ReadableStream<Uint8Array> {
  let left = bytes
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (piece, controller) => {
        controller.enqueue(piece.subarray(0, left))
        left -= piece.length
        if (left <= 0) controller.error(new TypeError('terminated'))
      },
    }),
  )
}

test('a signal ends what is read of an artifact after its beginning', async () => {
  const ending = new AbortController()
  const slow = ((_url: string, { signal }: RequestInit) => {
    const body = new ReadableStream({
      start: (controller) => {
        controller.enqueue(new TextEncoder().encode('the beginning'))
        signal?.addEventListener('abort', () => controller.error(signal.reason))
      },
    })
    return Promise.resolve(new Response(body))
  }) as typeof fetch
  const client = connectHttp({ url: 'https://millrace.test', key: 'ann', fetch: slow })
  const answer = await client.readArtifact({
    params: { run: '7', artifact: 'report' },
    signal: ending.signal,
  })
  ending.abort(new Error('enough'))
  await expect(answer.text()).rejects.toThrow('enough')
})
