// When a handler may say that it is to be tried again: what could not be kept is refused where it is said.
import { expect, test } from 'vitest'
import { retryAfterBrand } from './errors.ts'
import { RetryAfter } from './retry-after.ts'

test('a Date that is made of something else than milliseconds is refused, by its year', () => {
  const resetMs = Date.UTC(2027, 0, 2)
  expect(new RetryAfter(new Date(resetMs))[retryAfterBrand]).toEqual({ retry_at: '2027-01-02T00:00:00.000Z' })
  expect(() => new RetryAfter(new Date(resetMs * 1_000))).toThrow(
    expect.objectContaining({
      code: 'duration_invalid',
      message:
        'A RetryAfter is given a Date that is of the year 58973: a Date is made of milliseconds since 1970.',
    }) as Error,
  )
  expect(() => new RetryAfter(new Date(-resetMs * 1_000))).toThrow('of the year -55034')
  expect(() => new RetryAfter(new Date(Number.NaN))).toThrow('no time')
})

test('a try is put off by a year at most, and a longer duration is refused', () => {
  expect(new RetryAfter('365d')[retryAfterBrand]).toEqual({ retry_after_ms: 31_536_000_000 })
  expect(() => new RetryAfter('730d')).toThrow(
    "A RetryAfter is '730d', where a try is put off by 365 days at most.",
  )
  expect(() => new RetryAfter(31_536_000_001)).toThrow('A RetryAfter is 31536000001 ms, where')
})
