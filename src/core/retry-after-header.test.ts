// What Retry-After means: seconds or a date, by the clock of whoever sent it, or nothing.
import { expect, test } from 'vitest'
import { retryAfterMs } from './retry-after-header.ts'

const date = 'Sun, 06 Nov 1994 08:49:37 GMT'

test.each([
  ['120', 120_000],
  [' 0 ', 0],
  ['9999999999', 9_999_999_999_000],
  ['9'.repeat(400), Number.MAX_SAFE_INTEGER],
  ['Sun, 06 Nov 1994 08:51:37 GMT', 120_000],
  ['Sunday, 06-Nov-94 08:51:37 GMT', 120_000],
  ['Sun, 06 Nov 1994 08:00:00 GMT', 0],
])('%s is a time to wait', (retryAfter, ms) => {
  expect(retryAfterMs({ retryAfter, date })).toBe(ms)
})

test.each([null, undefined, '', ' ', 'soon', '-5', '1.5', '1,000'])('%s is none', (retryAfter) => {
  expect(retryAfterMs({ retryAfter, date })).toBeUndefined()
})

test('a date says nothing where the server tells no time of its own', () => {
  const retryAfter = 'Sun, 06 Nov 1994 08:51:37 GMT'
  expect(retryAfterMs({ retryAfter, date: null })).toBeUndefined()
  expect(retryAfterMs({ retryAfter, date: 'now' })).toBeUndefined()
})
