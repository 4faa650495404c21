// Event streams: read however their bytes are cut, and taken up where they broke off.
import { expect, onTestFinished, test, vi } from 'vitest'
import { eventsOf, follow } from './events.ts'
import type { ServerEvent } from './server-event.ts'

const request = { url: 'https://millrace.test/runs/1/events', method: 'GET', headers: {} }

const streamed = { headers: { 'content-type': 'text/event-stream' } }

/** A server that answers each connection with the next of these, as pieces of bytes; a null piece breaks the connection. */
function answering(...answers: readonly (readonly (string | null)[] | Response)[]) {
  const ids: (string | null)[] = []
  const options = {
    retriesMax: 2,
    retryDelayMs: 1,
    timeoutMs: 5_000,
    fetch: ((_url: string, init: RequestInit) => {
      ids.push(new Headers(init.headers).get('last-event-id'))
      const answer = answers[ids.length - 1]
      if (answer === undefined) return Promise.reject(new TypeError('refused'))
      return Promise.resolve(answer instanceof Response ? answer : new Response(bodyOf(answer), streamed))
    }) as typeof fetch,
  }
  return { options, ids }
}

function bodyOf(pieces: readonly (string | null)[]): ReadableStream<Uint8Array> {
  const left = [...pieces]
  return new ReadableStream({
    pull: (controller) => {
      const piece = left.shift()
      if (piece === undefined) controller.close()
      else if (piece === null) controller.error(new TypeError('terminated'))
      else controller.enqueue(new TextEncoder().encode(piece))
    },
  })
}

async function all(events: AsyncIterable<ServerEvent>): Promise<ServerEvent[]> {
  const found: ServerEvent[] = []
  for await (const event of events) found.push(event)
  return found
}

test('the grammar of event streams: comments, several lines of data, ids that stay, a space after the colon', async () => {
  const lines = [
    ': hello',
    '',
    'id: 1',
    'event: run',
    'data: {"a":',
    'data:1}',
    '',
    'data: text',
    '',
    'id: 9',
    '',
    'data',
  ]
  const found: unknown[] = []
  for await (const event of eventsOf(lines)) found.push(event)
  expect(found).toEqual([
    { id: '1', event: 'run', data: { a: 1 } },
    { id: '1', event: 'message', data: 'text' },
  ])
})

test('a stream that breaks off is taken up behind its last event, and ends with the event end', async () => {
  const { options, ids } = answering(
    ['id: 1\nda', 'ta: 1\r', '\n\r\nid: 2\ndata: "gr', 'ün"\n\nid: 3\ndata: 3', null],
    ['retry: 1\nid: 3\ndata: 3\n\n'],
    ['id: 4\ndata: 4\n\nevent: end\ndata: {}\n\n', 'id: 5\ndata: 5\n\n'],
  )
  const found = await all(follow(options, request, { signal: undefined }))
  expect(found.map(({ data }) => data)).toEqual([1, 'grün', 3, 4, {}])
  expect(ids).toEqual([null, '2', '3'])
})

test('a stream whose server stays away ends with an error, and one that is refused at once', async () => {
  const { options, ids } = answering(['id: 1\ndata: 1\n\n'])
  await expect(all(follow(options, request, { signal: undefined }))).rejects.toMatchObject({
    code: 'server_unreachable',
  })
  expect(ids).toEqual([null, '1', '1'])
  const refused = answering(new Response('', { status: 401 }))
  await expect(all(follow(refused.options, request, { signal: undefined }))).rejects.toMatchObject({
    code: 'not_signed_in',
  })
  expect(refused.ids).toHaveLength(1)
})

test('a signal ends a stream that says nothing', async () => {
  const ending = new AbortController()
  const silent = new Response(
    new ReadableStream({ start: () => queueMicrotask(() => ending.abort(new Error('enough'))) }),
    streamed,
  )
  const { options } = answering(silent)
  await expect(all(follow(options, request, { signal: ending.signal }))).rejects.toThrow('enough')
})

test('a server that closes each stream without a word stays away as well; one that says something is there', async () => {
  const mute = answering([], [], [], [': here\n\nevent: end\ndata: {}\n\n'])
  await expect(all(follow(mute.options, request, { signal: undefined }))).rejects.toMatchObject({
    code: 'server_unreachable',
  })
  expect(mute.ids).toHaveLength(3)
  const quiet = answering(
    [': here\n'],
    [': here\n'],
    [': here\n'],
    [': here\n'],
    ['event: end\ndata: {}\n\n'],
  )
  expect(await all(follow(quiet.options, request, { signal: undefined }))).toHaveLength(1)
})

test.each([undefined, 'text/html; charset=utf-8', 'text/event-streams'])(
  'what is no event stream by its type, %s, is followed no further',
  async (type) => {
    const page = new Response('<html>\n<title>Sign in</title>\n', {
      headers: type === undefined ? {} : { 'content-type': type },
    })
    const { options, ids } = answering(page, ['event: end\ndata: {}\n\n'])
    await expect(all(follow(options, request, { signal: undefined }))).rejects.toMatchObject({
      code: 'answer_invalid',
    })
    expect(ids).toHaveLength(1)
    expect(page.body?.locked).toBe(false)
  },
)

test('a stream that is refused until later is asked for again then, and not at all where that is long', async () => {
  const later = (seconds: number) =>
    new Response('', { status: 429, headers: { 'retry-after': `${seconds}` } })
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const busy = answering(later(30), ['event: end\ndata: {}\n\n'])
  const found = all(follow(busy.options, request, { signal: undefined }))
  await vi.advanceTimersByTimeAsync(29_999)
  expect(busy.ids).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(await found).toHaveLength(1)
  const busier = answering(later(31), ['event: end\ndata: {}\n\n'])
  await expect(all(follow(busier.options, request, { signal: undefined }))).rejects.toMatchObject({
    code: 'too_many_requests',
  })
})
