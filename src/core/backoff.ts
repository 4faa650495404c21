// Owns the backoff: how long a step waits after its n-th failure. SQL computes the same; a test compares the two.

export const jitters = ['full', 'none'] as const
export type Jitter = (typeof jitters)[number]

/** As it stands in the graph: `initial_ms` is the mean of the first delay, `max_ms` bounds the mean of every one. */
export interface Backoff {
  readonly initial_ms: number
  readonly factor: number
  readonly max_ms: number
  readonly jitter: Jitter
}

/** The mean delay, in whole milliseconds, after the n-th failure (from 1). */
export function meanDelayMs(backoff: Backoff, failures: number): number {
  const { initial_ms, factor, max_ms } = backoff
  const doublings = Math.max(failures, 1) - 1
  if (initial_ms <= 0) return 0
  // Compared as logarithms, so that the power is never computed where it would overflow.
  if (Math.log(initial_ms) + doublings * Math.log(factor) >= Math.log(max_ms)) return max_ms
  return Math.min(Math.round(initial_ms * factor ** doublings), max_ms)
}

/** The delay after the n-th failure; `random` is from 0 to 1. Full jitter draws evenly from 0 to twice the mean. */
export function delayMs(backoff: Backoff, failures: number, random: number): number {
  const mean = meanDelayMs(backoff, failures)
  return backoff.jitter === 'none' ? mean : Math.floor(random * 2 * mean)
}
