// Owns the retry policy as authors write it, and what stands in the graph where they write nothing.
import type { Backoff, Jitter } from '../core/backoff.ts'
import { type Duration, durationMs } from '../core/duration.ts'

export interface RetryOptions {
  /** How many attempts may fail before the step does; 3 unless told. */
  readonly attempts?: number
  /** The mean delay after the first failure; 30 s unless told. */
  readonly initial?: Duration
  /** By how much the mean grows with each failure; 2 unless told. */
  readonly factor?: number
  /** The longest mean delay; one hour unless told. */
  readonly max?: Duration
  /** `full` draws each delay evenly from 0 to twice its mean; `none` takes the mean. */
  readonly jitter?: Jitter
}

export interface RetryPolicy {
  readonly max_attempts: number
  readonly backoff: Backoff
}

const initialMs = 30_000
const maxMs = 3_600_000

/** The policy in its stored form. `what` names the step in an error. */
export function retryPolicy(options: RetryOptions, what: string): RetryPolicy {
  const initial_ms = durationMs(options.initial ?? initialMs, `The retry.initial of ${what}`)
  const max_ms =
    options.max === undefined
      ? Math.max(maxMs, initial_ms)
      : durationMs(options.max, `The retry.max of ${what}`)
  return {
    max_attempts: options.attempts ?? 3,
    backoff: { initial_ms, factor: options.factor ?? 2, max_ms, jitter: options.jitter ?? 'full' },
  }
}
