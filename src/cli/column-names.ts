// Owns the names in the output of --json: those of columns, also for what the SDK names otherwise.

/** The same entry with its names as columns have them: lastAt is last_at. Values stay as they are. */
export function columnNames(entry: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(entry).map(([name, value]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  )
}
