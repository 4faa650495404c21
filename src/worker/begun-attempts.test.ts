// Each attempt is begun once.
import { expect, test } from 'vitest'
import { BegunAttempts } from './begun-attempts.ts'

const attempt = (taskId: number, step = 1, number = 1) => ({ taskId, step: { id: step }, attempt: number })

test('an attempt is begun once, another step or attempt of the same task is another one', () => {
  const begun = new BegunAttempts(() => 0)
  expect(begun.add(attempt(7))).toBe(true)
  expect(begun.add(attempt(7))).toBe(false)
  expect(begun.add(attempt(7, 2))).toBe(true)
  expect(begun.add(attempt(7, 1, 2))).toBe(true)
})

test('it remembers the last ten thousand at least, and not all that ever were', () => {
  const begun = new BegunAttempts(() => 0)
  for (let id = 0; id < 30_000; id++) begun.add(attempt(id))
  expect(begun.add(attempt(20_001))).toBe(false)
  expect(begun.add(attempt(0))).toBe(true)
})

test('it remembers each for two minutes at least, and forgets it after four', () => {
  let now = 0
  const begun = new BegunAttempts(() => now)
  begun.add(attempt(1))
  now = 119_000
  begun.add(attempt(2))
  now = 238_000
  begun.add(attempt(3))
  expect(begun.add(attempt(2))).toBe(false)
  now = 359_000
  begun.add(attempt(4))
  expect(begun.add(attempt(1))).toBe(true)
})

test('what ends is remembered from its end, and counted once', () => {
  let now = 0
  const begun = new BegunAttempts(() => now)
  begun.add(attempt(1))
  for (let id = 2; id < 12; id++) {
    now += 121_000
    begun.add(attempt(id))
  }
  begun.renew(attempt(1))
  now += 119_000
  begun.add(attempt(20))
  expect(begun.add(attempt(1))).toBe(false)
  expect(begun.count).toBe(12)
})
