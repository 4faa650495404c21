// Tests of the backoff: its means, its jitter, and that nothing makes it overflow.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Backoff, delayMs, meanDelayMs } from './backoff.ts'

const usual: Backoff = { initial_ms: 30_000, factor: 2, max_ms: 3_600_000, jitter: 'full' }

const backoffs = fc
  .record({
    initial_ms: fc.integer({ min: 0, max: 2_073_600_000 }),
    factor: fc.double({ min: 1, max: 100, noNaN: true }),
    max_ms: fc.integer({ min: 0, max: 2_073_600_000 }),
    jitter: fc.constantFrom('full' as const, 'none' as const),
  })
  .map((backoff) => ({ ...backoff, max_ms: Math.max(backoff.initial_ms, backoff.max_ms) }))

test('JQ-6 the default means are 30 s, 60 s and 120 s', () => {
  expect([1, 2, 3].map((failures) => meanDelayMs(usual, failures))).toEqual([30_000, 60_000, 120_000])
})

test('JQ-6 full jitter draws from nothing to twice the mean', () => {
  expect(delayMs(usual, 1, 0)).toBe(0)
  expect(delayMs(usual, 1, 0.5)).toBe(30_000)
  expect(delayMs(usual, 1, 0.999_999)).toBe(59_999)
})

test('without jitter the delay is the mean', () => {
  expect(delayMs({ ...usual, jitter: 'none' }, 2, 0.7)).toBe(60_000)
})

test('E1 no number of failures makes the delay overflow: the mean stays within its bounds', () => {
  const failures = fc.oneof(
    fc.integer({ min: 1, max: 2_147_483_647 }),
    fc.constantFrom(44, 64, 1_024, 100_000),
  )
  fc.assert(
    fc.property(backoffs, failures, (backoff, count) => {
      const mean = meanDelayMs(backoff, count)
      expect(Number.isSafeInteger(mean)).toBe(true)
      expect(mean).toBeGreaterThanOrEqual(backoff.initial_ms)
      expect(mean).toBeLessThanOrEqual(backoff.max_ms)
    }),
  )
})

test('the mean never shrinks from one failure to the next', () => {
  fc.assert(
    fc.property(backoffs, fc.integer({ min: 1, max: 1_000 }), (backoff, failures) => {
      expect(meanDelayMs(backoff, failures + 1)).toBeGreaterThanOrEqual(meanDelayMs(backoff, failures))
    }),
  )
})
