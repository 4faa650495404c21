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
  let value: unknown = input
  for (const name of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    value = Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined
  }
  if (typeof value === 'string') return value
  return typeof value === 'boolean' || (Number.isSafeInteger(value) && !Object.is(value, -0))
    ? String(value)
    : undefined
}
