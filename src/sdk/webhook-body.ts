// Reads the body of a request as it comes: never more of it than the limit or than there is room for, and never longer than the deadline.

export type ReadBody =
  | { readonly body: Uint8Array }
  | { readonly fault: 'body_too_large' | 'body_too_slow' | 'body_broken' | 'no_room' }

export interface BodyBounds {
  readonly bytesMax: number
  readonly deadlineMs: number
  /** Takes room for more bytes than bodyBytesFree; false where there is none. */
  readonly take: (bytes: number) => boolean
}

/** What of each body needs no asking for room. */
export const bodyBytesFree = 65_536

/** Past the limit or the deadline the stream is left where it is. */
export async function readBody(request: Request, bounds: BodyBounds): Promise<ReadBody> {
  const { bytesMax, deadlineMs } = bounds
  const told = request.headers.get('content-length')
  if (told !== null && Number(told) > bytesMax) {
    await request.body?.cancel().catch(() => {})
    return { fault: 'body_too_large' }
  }
  // HTTP holds the sender to the length that it told, so this is bounded; and it costs far less than a stream.
  if (told !== null && Number(told) <= bodyBytesFree) return readTold(request, bytesMax, deadlineMs)
  if (request.body === null) return { body: new Uint8Array(0) }
  const reader = request.body.getReader()
  const deadline = deadlineAfter(deadlineMs)
  try {
    return await readAll(reader, bounds, deadline.over)
  } catch {
    return { fault: 'body_broken' }
  } finally {
    deadline.cancel()
    // What comes after it is not read. A stream that never ends would keep an awaited cancel for ever.
    void reader.cancel().catch(() => {})
  }
}

async function readTold(request: Request, bytesMax: number, deadlineMs: number): Promise<ReadBody> {
  const deadline = deadlineAfter(deadlineMs)
  const reading = request.arrayBuffer()
  try {
    const read = await Promise.race([reading, deadline.over])
    if (read === 'over') return { fault: 'body_too_slow' }
    return read.byteLength > bytesMax ? { fault: 'body_too_large' } : { body: new Uint8Array(read) }
  } catch {
    return { fault: 'body_broken' }
  } finally {
    deadline.cancel()
    reading.catch(() => {})
  }
}

async function readAll(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { bytesMax, take }: BodyBounds,
  over: Promise<'over'>,
): Promise<ReadBody> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  let room = bodyBytesFree
  for (;;) {
    const read = await Promise.race([reader.read(), over])
    if (read === 'over') return { fault: 'body_too_slow' }
    if (read.done) return { body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes) }
    bytes += read.value.byteLength
    if (bytes > bytesMax) return { fault: 'body_too_large' }
    // Only what is there takes room: who is slow, or tells of more than he sends, keeps it from nobody.
    if (bytes > room && !take(bytes - room)) return { fault: 'no_room' }
    room = Math.max(room, bytes)
    chunks.push(read.value)
  }
}

function deadlineAfter(ms: number): { readonly over: Promise<'over'>; cancel(): void } {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<'over'>((resolve) => {
    timer = setTimeout(() => resolve('over'), ms)
  })
  return { over, cancel: () => clearTimeout(timer) }
}
