// The values of options.
import { expect, test } from 'vitest'
import { jsonFrom, pair, timeFrom, wholeNumber } from './option-values.ts'

test('a whole number within its bounds is taken, everything else refused by name', () => {
  const read = wholeNumber('--limit', 1, 10)
  expect(read('10')).toBe(10)
  for (const text of ['0', '11', '1.5', '-1', 'ten', ''])
    expect(() => read(text)).toThrow('--limit takes a whole number from 1 to 10.')
})

test('a time is a date, or a duration from now', () => {
  expect(timeFrom('2030-01-31T08:00Z').toISOString()).toBe('2030-01-31T08:00:00.000Z')
  expect(timeFrom('10m').getTime() - Date.now()).toBeGreaterThan(590_000)
  for (const text of ['tomorrow', '2030-13-01', '10 apples'])
    expect(() => timeFrom(text)).toThrow('It takes a time')
})

test('pairs are gathered', () => {
  expect(pair('b=2=3', pair('a=1'))).toEqual({ a: '1', b: '2=3' })
  expect(() => pair('=1')).toThrow('It takes name=value.')
})

test('what is no JSON is refused with how to quote it', () => {
  expect(jsonFrom('{"a": 1}')).toEqual({ a: 1 })
  expect(() => jsonFrom("{'a': 1}")).toThrow('The input is not JSON')
})
