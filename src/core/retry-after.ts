// Owns the error with which a handler says when to try again.
import { type Duration, durationMs } from './duration.ts'
import { MillraceError, retryAfterBrand } from './errors.ts'

/** The longest that SQL puts a try off: what is longer is a mistake, and would be cut to it without a word. */
const daysMax = 365

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
    const asked = when instanceof Date ? { retry_at: isoTime(when) } : { retry_after_ms: delayMs(when) }
    const words = 'retry_at' in asked ? `at ${asked.retry_at}` : `in ${asked.retry_after_ms} ms`
    super(
      message ?? `It is to be tried again ${words}.`,
      details.cause === undefined ? undefined : { cause: details.cause },
    )
    this.code = details.code ?? 'retry_after'
    this[retryAfterBrand] = asked
  }
}

/** Of years before 1 and after 9999 ISO writes what PostgreSQL can't read. */
function isoTime(time: Date): string {
  const year = time.getUTCFullYear()
  if (year >= 1 && year <= 9_999) return time.toISOString()
  const found = Number.isNaN(year)
    ? 'is no time'
    : `is of the year ${year}: a Date is made of milliseconds since 1970`
  throw new MillraceError('duration_invalid', `A RetryAfter is given a Date that ${found}.`)
}

function delayMs(asked: Duration): number {
  const ms = durationMs(asked, 'A RetryAfter')
  if (ms <= daysMax * 86_400_000) return ms
  const given = typeof asked === 'number' ? `${asked} ms` : `'${asked}'`
  throw new MillraceError(
    'duration_invalid',
    `A RetryAfter is ${given}, where a try is put off by ${daysMax} days at most.`,
    { fields: { what: 'A RetryAfter' } },
  )
}
