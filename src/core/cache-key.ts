// Owns the key of a cached value: the text under which the database knows it.
import { createHash } from 'node:crypto'
import { canonicalJson } from './digest.ts'
import { MillraceError } from './errors.ts'
import { checkJson } from './json.ts'

const keyMax = 500
const scopePattern = /^[a-z][a-z0-9-]{0,62}(\/[a-z][a-z0-9-]{0,62})?$/

/**
 * A text, a number or a boolean is its own text, as in a run key; other data its JSON with sorted names. What is longer than 500 characters keeps
 * its beginning, by which prefixes find it, and the hash of the whole.
 * @throws MillraceError `cache_key_invalid`
 */
export function cacheKeyText(key: unknown, what: string): string {
  if (key === undefined || key === null || key === '') throw keyInvalid(`${what} is missing`)
  const text = typeof key === 'object' ? canonicalJson(JSON.parse(jsonOf(key, what))) : scalarText(key, what)
  if (text.length <= keyMax) return text
  const hash = createHash('sha256').update(text).digest('hex')
  // A pair that is cut would be no text that the database takes.
  const start = text.slice(0, keyMax - hash.length - 1).replace(/[\uD800-\uDBFF]$/, '')
  return `${start}…${hash}`
}

/** Whether a scope is one: a name, or those of a pipeline and a step. @throws MillraceError `cache_key_invalid` */
export function checkCacheScope(scope: unknown): string {
  if (typeof scope === 'string' && scopePattern.test(scope)) return scope
  throw keyInvalid(
    `The scope ${JSON.stringify(scope) ?? 'undefined'} is no name like prices, or pipeline/step`,
  )
}

function scalarText(key: unknown, what: string): string {
  const text = jsonOf(key, what)
  return typeof key === 'string' ? key : text
}

function jsonOf(key: unknown, what: string): string {
  try {
    return checkJson(key, { what })
  } catch (cause) {
    throw keyInvalid(`${what} can't be kept: ${(cause as Error).message}`, cause)
  }
}

function keyInvalid(problem: string, cause?: unknown): MillraceError {
  return new MillraceError('cache_key_invalid', `${problem.replace(/\.$/, '')}.`, { cause })
}
