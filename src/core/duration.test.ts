// Tests of durations: what is read, and what is refused.
import { expect, test } from 'vitest'
import { type Duration, durationMs } from './duration.ts'

test.each<[Duration, number]>([
  ['500ms', 500],
  ['30s', 30_000],
  ['1.5m', 90_000],
  ['2h', 7_200_000],
  ['7d', 604_800_000],
  ['1w', 604_800_000],
  [1_500, 1_500],
  [0, 0],
])('%s is %i ms', (duration, ms) => {
  expect(durationMs(duration, 'the timeout')).toBe(ms)
})

test.each([
  '',
  '10',
  '10 parsecs',
  '-1s',
  '1e3s',
  's',
  '1h30m',
  '99999d',
  Number.NaN,
  -1,
  Infinity,
  null,
  {},
])('%j is refused, and the message names what it was for', (duration) => {
  expect(() => durationMs(duration as Duration, 'The timeout of search')).toThrow(
    expect.objectContaining({
      code: 'duration_invalid',
      message: expect.stringMatching(/^The timeout of search is /) as string,
    }),
  )
})
