// Owns the reading of bodies: as a stream, never past the limit, and only JSON where JSON is asked for.
import type { Operation } from '../api/operation.ts'
import { MillraceError } from '../core/errors.ts'
import { checkJson } from '../core/json.ts'

const bodyBytesMax = 1_048_576
/** Of a value 100, which stands in a list of an object of the body. */
const depthMax = 104

/** @throws MillraceError request_too_large, media_unsupported, request_invalid, json_invalid */
export async function readBody(request: Request, operation: Operation): Promise<unknown> {
  const bytes = await readBytes(request, operation.bodyBytesMax ?? bodyBytesMax)
  if (bytes.byteLength === 0) return {}
  const media = request.headers.get('content-type') ?? ''
  if (!/^application\/json\s*(;\s*charset=utf-8\s*)?$/i.test(media))
    throw new MillraceError(
      'media_unsupported',
      'The body is not said to be JSON: send content-type: application/json.',
    )
  const text = textOf(bytes)
  const value = parsed(text)
  if (!isShallow(value))
    throw new MillraceError('request_invalid', `The body is nested deeper than ${depthMax} levels.`, {
      fields: { where: 'body' },
    })
  // Wherever it stands: no text of a database holds it.
  if (unstorable.test(text)) checkJson(value, { what: 'the body', maxBytes: Infinity, maxDepth: Infinity })
  return value
}

/** Escaped, since a text in UTF-8 can't hold a lone surrogate, nor JSON a control character: only then is it worth looking. */
const unstorable = /\\u(?:0000|d[89a-f])/i

// One for all: it keeps nothing between two whole bodies.
const utf8 = new TextDecoder('utf-8', { fatal: true })

function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw noJson()
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw noJson()
  }
}

function noJson(): MillraceError {
  return new MillraceError('request_invalid', 'The body is no JSON in UTF-8.', { fields: { where: 'body' } })
}

/** Goes no deeper than the limit, so that what is too deep needs no stack as deep. */
function isShallow(value: unknown, depth = 0): boolean {
  if (typeof value !== 'object' || value === null) return true
  const items: unknown[] = Array.isArray(value) ? value : Object.values(value)
  if (depth === depthMax) return items.length === 0
  for (const item of items) if (!isShallow(item, depth + 1)) return false
  return true
}

/**
 * @throws MillraceError request_too_large, as soon as there is more than may be; request_invalid for a body that breaks off; server_unavailable
 *   where bodies that are under way take all the memory that they may
 */
export async function readBytes(request: Request, limit: number): Promise<Uint8Array> {
  const encoding = request.headers.get('content-encoding') ?? 'identity'
  if (encoding !== 'identity')
    throw new MillraceError('media_unsupported', 'The body is compressed: send it as it is.')
  const tooLarge = () =>
    new MillraceError('request_too_large', `The body is larger than ${limit} bytes.`, { fields: { limit } })
  const told = Number(request.headers.get('content-length') ?? 0)
  if (told > limit) throw tooLarge()
  if (told > 0 && told <= smallMax) return readSmall(request, Math.min(limit, smallMax), tooLarge)
  const parts: Uint8Array[] = []
  let size = 0
  try {
    for await (const part of partsOf(request)) {
      size += part.byteLength
      bytesUnderWay += part.byteLength
      if (size > limit) throw tooLarge()
      if (bytesUnderWay > bytesUnderWayMax)
        throw new MillraceError('server_unavailable', 'There is no room for another body at present.', {
          fields: { retry_after_seconds: 1 },
        })
      parts.push(part)
    }
  } finally {
    bytesUnderWay -= size
  }
  const whole = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
}

/** As far as this the length that a request tells is believed, and its body read in one piece: a stream costs more than such a body. */
const smallMax = 65_536

async function readSmall(
  request: Request,
  limit: number,
  tooLarge: () => MillraceError,
): Promise<Uint8Array> {
  const bytes = await request.arrayBuffer().catch((cause: unknown) => {
    throw brokenOff(cause)
  })
  if (bytes.byteLength > limit) throw tooLarge()
  return new Uint8Array(bytes)
}

/** What bodies that are read part by part may take of this process, of whichever server they are. Small ones (readSmall) are not counted. */
const bytesUnderWayMax = 134_217_728
let bytesUnderWay = 0

async function* partsOf({ body }: Request): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body ?? []
  } catch (cause) {
    throw brokenOff(cause)
  }
}

function brokenOff(cause: unknown): MillraceError {
  return new MillraceError('request_invalid', 'The body broke off.', { fields: { where: 'body' }, cause })
}
