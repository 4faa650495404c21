// Owns the error with which a handler says when to try again.
import { type Duration, durationMs } from './duration.ts'
import { MillraceError, retryAfterBrand } from './errors.ts'

/** Thrown by a handler that knows when to try again: at that time, or after that long, in the place of what the retry policy says. */
export class RetryAfter extends Error {
  override readonly name = 'RetryAfter'
  readonly code: string
  readonly [retryAfterBrand]: { readonly retry_at: string } | { readonly retry_after_ms: number }

  /** @throws MillraceError duration_invalid */
  constructor(
    when: Date | Duration,
    message?: string,
    details: { readonly code?: string; readonly cause?: unknown } = {},
  ) {
    const asked =
      when instanceof Date
        ? { retry_at: isoTime(when) }
        : { retry_after_ms: durationMs(when, 'A RetryAfter') }
    const words = 'retry_at' in asked ? `at ${asked.retry_at}` : `in ${asked.retry_after_ms} ms`
    super(
      message ?? `It is to be tried again ${words}.`,
      details.cause === undefined ? undefined : { cause: details.cause },
    )
    this.code = details.code ?? 'retry_after'
    this[retryAfterBrand] = asked
  }
}

function isoTime(time: Date): string {
  if (Number.isFinite(time.getTime())) return time.toISOString()
  throw new MillraceError('duration_invalid', 'A RetryAfter is given a Date that is no time.')
}
