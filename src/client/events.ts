// Owns event streams as a program reads them: event by event, taken up where they broke off, until they end.
import { MillraceError } from '../core/errors.ts'
import type { Sendable } from './request.ts'
import type { ServerEvent } from './server-event.ts'
import { attempt, sleep, type TransportOptions, unreachable, waitOf } from './transport.ts'

/** A server says something at least each 15 seconds: of one that is silent for longer, the connection is gone. */
const silenceMs = 45_000
const retryMsMax = 30_000
const lineCharactersMax = 4_000_000

/**
 * Follows a stream, over as many connections as it takes. It ends with the event `end`, or when the reader has had enough.
 *
 * @throws MillraceError with the code of the answer, where it is refused; server_unreachable after as many tries in a row as `retriesMax`
 */
export async function* follow(
  options: TransportOptions,
  request: Sendable,
  {
    lastEventId,
    signal,
  }: { readonly lastEventId?: string | undefined; readonly signal: AbortSignal | undefined },
): AsyncGenerator<ServerEvent, void, undefined> {
  let last = lastEventId
  let delayMs = options.retryDelayMs
  for (let failures = 0; ; failures++) {
    const headers = last === undefined ? request.headers : { ...request.headers, 'last-event-id': last }
    const opened = await attempt(options, { ...request, headers }, { signal, read: bodyOf })
    const pauseMs = (): number => Math.min(delayMs * 2 ** failures, retryMsMax)
    if ('error' in opened) {
      const waitMs = failures < options.retriesMax ? waitOf(opened, true, pauseMs()) : undefined
      if (waitMs === undefined) throw opened.error
      await sleep(waitMs, signal)
      continue
    }
    if (opened.value === null) return
    let isMute = true
    const lines = heard(linesOf(opened.value, request.url, signal), () => {
      isMute = false
      failures = 0
    })
    try {
      for await (const told of eventsOf(lines)) {
        if ('retryMs' in told) {
          delayMs = Math.min(told.retryMs, retryMsMax)
          continue
        }
        last = told.id ?? last
        yield told
        if (told.event === 'end') return
      }
      if (isMute) throw unreachable(request.url, 'its event stream ended without a word')
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'server_unreachable') throw error
      if (failures >= options.retriesMax) throw error
    }
    await sleep(pauseMs(), signal)
  }
}

/** Null where there are no events. Whatever else answers with a page, an application or a portal, has none, however often it is asked. @throws MillraceError answer_invalid */
async function bodyOf({ status, headers, body }: Response): Promise<ReadableStream<Uint8Array> | null> {
  if (status === 204) return null
  if (/^text\/event-stream *(;|$)/i.test(headers.get('content-type') ?? '')) return body
  await body?.cancel()
  throw new MillraceError('answer_invalid', 'What was answered is no event stream.', { fields: { status } })
}

/** The same lines, each of which is told: a comment says as well that somebody is there. */
async function* heard(
  lines: AsyncIterable<string>,
  told: () => void,
): AsyncGenerator<string, void, undefined> {
  for await (const line of lines) {
    told()
    yield line
  }
}

/** The lines of a body, however its pieces are cut. @throws MillraceError server_unreachable where it breaks off or falls silent */
async function* linesOf(
  body: ReadableStream<Uint8Array>,
  url: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void, undefined> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await readSoon(reader, url, signal)
      if (done) return
      rest += decoder.decode(value, { stream: true })
      // A return at the very end may be half of an end of line.
      const lines = rest.split(/\r\n|\n|\r(?!$)/)
      rest = lines.pop() ?? ''
      if (rest.length > lineCharactersMax)
        throw new MillraceError('answer_invalid', 'An event stream holds a line that is too long to be one.')
      yield* lines
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}

async function readSoon(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  url: string,
  signal: AbortSignal | undefined,
): Promise<{ done: boolean; value?: Uint8Array | undefined }> {
  signal?.throwIfAborted()
  let end = (): void => {}
  let timer: ReturnType<typeof setTimeout> | undefined
  const broken = new Promise<never>((_, reject) => {
    end = () => reject(signal?.reason as Error)
    signal?.addEventListener('abort', end, { once: true })
    timer = setTimeout(() => reject(unreachable(url, 'its event stream fell silent')), silenceMs)
  })
  try {
    return await Promise.race([reader.read(), broken])
  } catch (error) {
    signal?.throwIfAborted()
    throw error instanceof MillraceError ? error : unreachable(url, 'its event stream broke off', error)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', end)
  }
}

/**
 * The events that lines make, by the grammar of the HTML standard (server-sent events, "interpreting an event stream"): an empty line ends an event,
 * one without data is none, and a comment begins with a colon.
 */
export async function* eventsOf(
  lines: AsyncIterable<string> | Iterable<string>,
): AsyncGenerator<ServerEvent | { readonly retryMs: number }, void, undefined> {
  let id: string | undefined
  let event = ''
  let data: string[] = []
  for await (const line of lines) {
    if (line === '') {
      if (data.length > 0)
        yield { id, event: event === '' ? 'message' : event, data: valueOf(data.join('\n')) }
      event = ''
      data = []
      continue
    }
    const { field, value } = fieldOf(line)
    if (field === 'data') data.push(value)
    else if (field === 'event') event = value
    else if (field === 'id' && !value.includes('\u0000')) id = value
    else if (field === 'retry' && /^\d{1,9}$/.test(value)) yield { retryMs: Number(value) }
  }
}

function fieldOf(line: string): { field: string; value: string } {
  const colon = line.indexOf(':')
  if (colon < 0) return { field: line, value: '' }
  return { field: line.slice(0, colon), value: line.slice(colon + 1).replace(/^ /, '') }
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
