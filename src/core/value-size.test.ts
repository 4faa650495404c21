// How much room a JSON value takes.
import { expect, test } from 'vitest'
import { isLargerThan } from './value-size.ts'

test('texts, names and entries count, however deep they lie', () => {
  expect(isLargerThan('x'.repeat(1_000), 900)).toBe(true)
  expect(isLargerThan('x'.repeat(1_000), 1_100)).toBe(false)
  expect(isLargerThan({ a: [{ b: 'x'.repeat(1_000) }] }, 1_000)).toBe(true)
  expect(isLargerThan({ ['x'.repeat(1_000)]: 1 }, 1_000)).toBe(true)
  expect(
    isLargerThan(
      Array.from({ length: 100 }, (_, n) => n),
      1_000,
    ),
  ).toBe(true)
  for (const small of [null, undefined, true, 1, '', [], {}]) expect(isLargerThan(small, 100)).toBe(false)
})

test('it looks at no more of a value than it takes to know', () => {
  let looked = 0
  const entries = Array.from({ length: 1_000 }, () => ({
    get text() {
      looked++
      return 'x'.repeat(100)
    },
  }))
  expect(isLargerThan(entries, 1_000)).toBe(true)
  expect(looked).toBeLessThan(20)
})
