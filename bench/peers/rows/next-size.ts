// How many tasks the next drain is of, where one has a time to end in.

/** Half as many or twice as many, so that a drain takes a quarter to a half of its time: one that slows down has room to. */
export function nextSize(last: {
  readonly count: number
  readonly ms: number
  readonly limitMs: number
  readonly most: number
}): number {
  const { count, ms, limitMs, most } = last
  if (ms > limitMs / 2) return Math.max(1, Math.floor(count / 2))
  return ms < limitMs / 4 ? Math.min(most, 2 * count) : count
}
