// Owns the run key as a starting process knows it: the database computes it, and this finds the same where it surely is the same.

/**
 * The run key of an input: null where the pipeline declares none, undefined where only the database's own computation is sure
 * (several paths, fractions, objects, values that are missing).
 */
export function knownRunKey(
  input: unknown,
  paths: ReadonlyArray<readonly string[]>,
): string | null | undefined {
  const [path, ...others] = paths
  if (path === undefined) return null
  if (others.length > 0) return undefined
  const value = valueAt(input, path)
  if (typeof value === 'string') return value
  return typeof value === 'boolean' || (Number.isSafeInteger(value) && !Object.is(value, -0))
    ? String(value)
    : undefined
}

/** The values of a run key, as text: starts that have them in common have their run key in common. Null where the pipeline declares none. */
export function runKeyText(input: unknown, paths: ReadonlyArray<readonly string[]>): string | null {
  return paths.length === 0 ? null : JSON.stringify(paths.map((path) => valueAt(input, path)))
}

/** Undefined where there is none. */
function valueAt(input: unknown, path: readonly string[]): unknown {
  let value = input
  for (const name of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    value = Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined
  }
  return value
}
