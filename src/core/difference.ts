// Owns where two JSON values differ: the places, with what stands there in each.
import { formatPath } from './json.ts'

export interface Difference {
  /** As people write it; empty where the two have nothing in common. */
  readonly path: string
  /** Undefined where there is nothing. */
  readonly before: unknown
  readonly after: unknown
}

/** The first places of two values of JSON, at most so many; a list of another length differs as a whole. */
export function differences(before: unknown, after: unknown, most = 10): Difference[] {
  const found: Difference[] = []
  compare(before, after, [], found, most)
  return found
}

/** 'total: 10 and 20' for each; without values only the paths. */
export function differenceWords(found: readonly Difference[], withValues: boolean): string {
  return found
    .map(({ path, before, after }) => {
      const where = path === '' ? 'the whole of it' : path
      return withValues ? `${where} (${brief(before)}, now ${brief(after)})` : where
    })
    .join(', ')
}

/** One walk: what is alike is not written out to be compared, since each level would write all that lies below it. */
function compare(
  before: unknown,
  after: unknown,
  path: Array<string | number>,
  found: Difference[],
  most: number,
): void {
  const names = namesOf(before, after)
  if (names === undefined) {
    if (before !== after) found.push({ path: formatPath(path), before, after })
    return
  }
  for (const name of names) {
    if (found.length >= most) return
    path.push(name)
    compare(memberOf(before, name), memberOf(after, name), path, found, most)
    path.pop()
  }
}

/** Where both are looked into; undefined where they are no two objects, or two lists of one length. */
function namesOf(before: unknown, after: unknown): ReadonlyArray<string | number> | undefined {
  if (Array.isArray(before) && Array.isArray(after))
    return before.length === after.length ? before.map((_, index) => index) : undefined
  if (!isObject(before) || !isObject(after)) return undefined
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function memberOf(value: unknown, name: string | number): unknown {
  return Object.hasOwn(value as object, name) ? Reflect.get(value as object, name) : undefined
}

const briefMax = 60

function brief(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length > briefMax ? `${text.slice(0, briefMax - 1)}…` : text
}
