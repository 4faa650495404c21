// How much room a JSON value takes, as far as somebody needs to know.

/** What a number, a flag, or the place of an entry takes, roughly, in bytes. */
const entryBytes = 16

/** Whether a JSON value takes more than about so many bytes of memory. It looks at no more of the value than that. */
export function isLargerThan(value: unknown, bytes: number): boolean {
  return left(value, bytes) < 0
}

/** What is left of so many bytes after the value; below 0 as soon as it is known that nothing is. */
function left(value: unknown, bytes: number): number {
  let rest = bytes - entryBytes
  if (typeof value === 'string') return rest - value.length
  if (typeof value !== 'object' || value === null) return rest
  if (Array.isArray(value)) {
    for (const entry of value) {
      if (rest < 0) return rest
      rest = left(entry, rest)
    }
    return rest
  }
  for (const [name, entry] of Object.entries(value)) {
    if (rest < 0) return rest
    rest = left(entry, rest - name.length)
  }
  return rest
}
