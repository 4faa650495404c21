// Each attempt is begun once.
import { expect, test } from 'vitest'
import { BegunAttempts } from './begun-attempts.ts'

const attempt = (taskId: number, step = 1, number = 1) => ({ taskId, step: { id: step }, attempt: number })

test('an attempt is begun once, another step or attempt of the same task is another one', () => {
  const begun = new BegunAttempts()
  expect(begun.add(attempt(7))).toBe(true)
  expect(begun.add(attempt(7))).toBe(false)
  expect(begun.add(attempt(7, 2))).toBe(true)
  expect(begun.add(attempt(7, 1, 2))).toBe(true)
})

test('it remembers the last ten thousand at least, and not all that ever were', () => {
  const begun = new BegunAttempts()
  for (let id = 0; id < 30_000; id++) begun.add(attempt(id))
  expect(begun.add(attempt(20_001))).toBe(false)
  expect(begun.add(attempt(0))).toBe(true)
})
