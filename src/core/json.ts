// Owns the edge that every JSON value crosses: it is refused here, with the path of the bad spot, or Postgres can keep it.
import { MillraceError } from './errors.ts'

export const jsonBytesMax = 1_048_576
const jsonDepthMax = 100

export interface JsonLimits {
  /** What the value is, for the error: "the output of step store". */
  readonly what: string
  readonly maxBytes?: number
  readonly maxDepth?: number
  /** Of a Map, a Set or a promise stands {}, as JSON.stringify has it, where what lies around it is worth more than to refuse it. */
  readonly emptied?: boolean
  /** Takes out of names what must not be told, before they are cut; then nothing else is quoted. */
  readonly redact?: (text: string) => string
}

export type JsonPath = ReadonlyArray<string | number>

/**
 * The JSON text of a value, as JSON.stringify writes it: a Date becomes a text, a property that is undefined is left
 * out, undefined itself becomes null.
 * @throws MillraceError `json_invalid` with {path, reason}, `json_too_large` with {bytes, limit}
 */
export function checkJson(value: unknown, limits: JsonLimits): string {
  const walk = startWalk(limits)
  refuse(
    guarded(() => findProblem(value, '', 0, walk)),
    value,
    limits,
  )
  const text = guarded(() => JSON.stringify(value) ?? 'null')
  if (typeof text !== 'string') return refuse(text, value, limits)
  const bytes = byteLength(text, walk.maxBytes)
  if (bytes > walk.maxBytes) throw tooLarge(bytes, walk.maxBytes, limits.what)
  if (unstorable.test(text))
    refuse(findProblem(value, '', 0, { ...startWalk(limits), texts: true }), value, limits)
  return text
}

/**
 * The value of a JSON text from outside. Refuses what checkJson refuses, and numbers that JavaScript cannot hold:
 * beyond the range of a double, and integers beyond 2^53. Of equal keys in one object the last one counts, as in
 * Postgres; a fraction is rounded to the nearest double.
 * @throws MillraceError `json_invalid` with {path, reason}, `json_too_large` with {bytes, limit}
 */
export function parseJsonText(text: string, limits: JsonLimits): unknown {
  const walk = { ...startWalk(limits), texts: true, exact: true }
  const bytes = byteLength(text, walk.maxBytes)
  if (bytes > walk.maxBytes) throw tooLarge(bytes, walk.maxBytes, limits.what)
  const value = parse(text, limits)
  refuse(findProblem(value, '', 0, walk), value, limits)
  return value
}

/** A path as people write it: customer.lines[3]["odd key"]. */
export function formatPath(path: JsonPath): string {
  return path.map(formatSegment).join('').replace(/^\./, '')
}

function formatSegment(segment: string | number): string {
  if (typeof segment === 'number') return `[${segment}]`
  return /^[A-Za-z_$][\w$]*$/.test(segment) ? `.${segment}` : `[${JSON.stringify(segment.slice(0, 100))}]`
}

interface Walk {
  readonly maxBytes: number
  readonly maxDepth: number
  readonly emptied: boolean
  /** Look into texts as well: only where the written JSON shows that one of them is bad. */
  readonly texts: boolean
  /** Refuse integers beyond 2^53: right for text from outside, where digits may have been lost. */
  readonly exact: boolean
  /** The least number of bytes seen so far, so that a huge value is refused before it is written out. */
  bytes: number
}

interface Problem {
  /** Grows from the inside outwards while the walk returns. */
  readonly path: Array<string | number>
  readonly reason: string
}

const tooDeep = 'it is nested too deeply'
const tooBig = 'too large'

function startWalk({ maxBytes = jsonBytesMax, maxDepth = jsonDepthMax, emptied = false }: JsonLimits): Walk {
  return { maxBytes, maxDepth, emptied, texts: false, exact: false, bytes: 0 }
}

/** The first spot that JSON cannot keep. The common case allocates nothing. */
function findProblem(given: unknown, key: string, depth: number, walk: Walk): Problem | undefined {
  if (given instanceof Date && Number.isNaN(given.getTime()))
    return { path: [], reason: 'it is an invalid Date' }
  const value = writtenForm(given, key)
  walk.bytes += typeof value === 'string' ? value.length + 2 : 1
  if (walk.bytes > walk.maxBytes) return { path: [], reason: tooBig }
  switch (typeof value) {
    case 'string':
      return walk.texts ? textProblem(value) : undefined
    case 'boolean':
    case 'undefined':
      return undefined
    case 'number':
      return numberProblem(value, walk)
    case 'object':
      return value === null ? undefined : objectProblem(value, depth, walk)
    default:
      return { path: [], reason: `it is a ${typeof value}, which JSON does not know` }
  }
}

/** What JSON.stringify writes in its place: it asks an object for its toJSON once, and not the result again. */
function writtenForm(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return value
  const { toJSON } = value as { toJSON?: unknown }
  return typeof toJSON === 'function' ? toJSON.call(value, key) : value
}

function numberProblem(value: number, walk: Walk): Problem | undefined {
  if (!Number.isFinite(value)) return { path: [], reason: `it is ${value}, which JSON does not know` }
  if (!walk.exact || !Number.isInteger(value) || Number.isSafeInteger(value)) return undefined
  return { path: [], reason: 'it is an integer beyond 2^53, whose digits would be lost: send it as a text' }
}

function textProblem(value: string): Problem | undefined {
  if (value.includes('\u0000'))
    return { path: [], reason: 'it holds a NUL character, which Postgres cannot store' }
  if (/\p{Surrogate}/u.test(value))
    return { path: [], reason: 'it holds a lone surrogate, which is no character' }
  return undefined
}

function objectProblem(value: object, depth: number, walk: Walk): Problem | undefined {
  if (value instanceof Number) return numberProblem(value.valueOf(), walk)
  if (depth >= walk.maxDepth) return { path: [], reason: tooDeep }
  if (Array.isArray(value)) return listProblem(value, depth, walk)
  const reason = walk.emptied ? undefined : lossOf(value)
  return reason === undefined ? memberProblem(value, depth, walk) : { path: [], reason }
}

/** What JSON.stringify would write as {}, whatever it holds. */
function lossOf(value: object): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return undefined
  if (value instanceof Map || value instanceof Set)
    return `it is a ${value instanceof Map ? 'Map' : 'Set'}, of which JSON keeps nothing`
  return typeof Reflect.get(value, 'then') === 'function'
    ? 'it is a promise, of which JSON keeps nothing: await it'
    : undefined
}

function listProblem(list: readonly unknown[], depth: number, walk: Walk): Problem | undefined {
  for (let index = 0; index < list.length; index += 1) {
    const problem = findProblem(list[index], '', depth + 1, walk)
    if (problem !== undefined) return within(index, problem)
  }
  return undefined
}

function memberProblem(value: object, depth: number, walk: Walk): Problem | undefined {
  for (const name of Object.keys(value)) {
    const member = (value as Record<string, unknown>)[name]
    if (member === undefined) continue
    walk.bytes += name.length + 3
    const problem = (walk.texts ? textProblem(name) : undefined) ?? findProblem(member, name, depth + 1, walk)
    if (problem !== undefined) return within(name, problem)
  }
  return undefined
}

function within(segment: string | number, problem: Problem): Problem {
  problem.path.unshift(segment)
  return problem
}

/** A getter, a toJSON or a proxy may throw while it is read. */
function guarded<T>(read: () => T): T | Problem {
  try {
    return read()
  } catch (error) {
    return {
      path: [],
      reason: `reading it throws: ${error instanceof Error ? error.message : String(error)}`,
    }
  }
}

function refuse(problem: Problem, value: unknown, limits: JsonLimits): never
function refuse(problem: Problem | undefined, value: unknown, limits: JsonLimits): void
function refuse(problem: Problem | undefined, value: unknown, limits: JsonLimits): void {
  if (problem === undefined) return
  const { what, maxBytes = jsonBytesMax, maxDepth = jsonDepthMax, redact = (text) => text } = limits
  if (problem.reason === tooBig) throw tooLarge(undefined, maxBytes, what)
  const cycle = problem.reason === tooDeep ? cycleIn(value, problem.path) : undefined
  const path = cycle ?? problem.path.slice(0, maxDepth)
  const spot = formatPath(path.map((segment) => (typeof segment === 'string' ? redact(segment) : segment)))
  const reason = cycle
    ? 'it contains itself'
    : problem.reason === tooDeep
      ? `it is nested more than ${maxDepth} deep`
      : problem.reason
  throw new MillraceError(
    'json_invalid',
    `${what} cannot be kept as JSON: at ${spot || 'the top'}, ${reason}.`,
    {
      fields: { what, path: spot, reason },
    },
  )
}

/** Where along the path a value comes round to one of those that hold it. */
function cycleIn(value: unknown, path: JsonPath): JsonPath | undefined {
  const holders = new Set<unknown>([value])
  let current = value
  for (const [index, segment] of path.entries()) {
    current = (current as Record<string | number, unknown> | undefined)?.[segment]
    if (current === undefined) return undefined
    if (holders.has(current)) return path.slice(0, index + 1)
    holders.add(current)
  }
  return undefined
}

function tooLarge(bytes: number | undefined, limit: number, what: string): MillraceError {
  const size = bytes === undefined ? `more than ${limit}` : String(bytes)
  return new MillraceError(
    'json_too_large',
    `${what} is too large: ${size} bytes, where ${limit} are allowed.`,
    {
      fields: { what, bytes: bytes ?? limit + 1, limit },
      hint: 'Store the data in a table of your own and pass its id.',
    },
  )
}

/** NUL and lone surrogates as JSON.stringify writes them; a text that only spells them out matches as well. */
const unstorable = /\\u(?:0000|d[89a-f])/

function byteLength(text: string, limit: number): number {
  if (text.length * 3 <= limit || text.length > limit) return text.length
  return Buffer.byteLength(text)
}

function parse(text: string, { what, redact }: JsonLimits): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new MillraceError('json_invalid', `${what} is not JSON.`, {
      fields: { what, path: '', reason: 'it is not JSON' },
      ...(redact === undefined && { hint: cause instanceof Error ? cause.message : undefined, cause }),
    })
  }
}
