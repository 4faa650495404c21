// What Retry-After means: seconds or a date, by the clock of whoever sent it, or nothing.
import { expect, test } from 'vitest'
import { retryAfterMs } from './retry-after-header.ts'

const date = 'Sun, 06 Nov 1994 08:49:37 GMT'

const words = ['soon 5', 'retry 60', 'May', 'GMT 120']
/** Those without a zone would be read by the clock of whoever reads them. */
const otherDates = [
  '06 Nov 1994 08:51:37 GMT',
  'Sun, 06 Nov 1994 08:51:37',
  'Sun, 06 Nov 1994 08:51:37 +0100',
  'Sun, 6 Nov 1994 08:51:37 GMT',
  'Sun, 06 Now 1994 08:51:37 GMT',
  'Sun, 06 Nov 1994 08:61:37 GMT',
  '1994-11-06T08:51:37Z',
  'Sun Nov  6 08:51:37 1994 GMT',
]

test.each([
  ['120', 120_000],
  [' 0 ', 0],
  ['9999999999', 9_999_999_999_000],
  ['9'.repeat(400), Number.MAX_SAFE_INTEGER],
  ['Sun, 06 Nov 1994 08:51:37 GMT', 120_000],
  ['Sunday, 06-Nov-94 08:51:37 GMT', 120_000],
  ['Sun Nov  6 08:51:37 1994', 120_000],
  ['Sun, 06 Nov 1994 08:00:00 GMT', 0],
])('%s is a time to wait', (retryAfter, ms) => {
  expect(retryAfterMs({ retryAfter, date })).toBe(ms)
})

test.each([null, undefined, '', ' ', 'soon', '-5', '1.5', '1,000', ...words, ...otherDates])(
  '%s is none',
  (retryAfter) => {
    expect(retryAfterMs({ retryAfter, date })).toBeUndefined()
  },
)

test('a date says nothing where the server tells no time of its own', () => {
  const retryAfter = 'Sun, 06 Nov 1994 08:51:37 GMT'
  expect(retryAfterMs({ retryAfter, date: null })).toBeUndefined()
  expect(retryAfterMs({ retryAfter, date: 'now' })).toBeUndefined()
})

test.each([
  ['Friday, 01-Jan-27 00:01:00 GMT', 'Fri, 01 Jan 2027 00:00:00 GMT'],
  ['Tuesday, 01-Jan-69 00:01:00 GMT', 'Tue, 01 Jan 2069 00:00:00 GMT'],
  ['Thursday, 01-Jan-70 00:01:00 GMT', 'Thu, 01 Jan 1970 00:00:00 GMT'],
])('the year of two digits in %s is one from 1970 to 2069', (retryAfter, date) => {
  expect(retryAfterMs({ retryAfter, date })).toBe(60_000)
})
