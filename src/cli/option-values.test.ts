// The values of options.
import { expect, test } from 'vitest'
import { pair, text, textPair, texts, timeFrom, wholeNumber } from './option-values.ts'

test('a whole number within its bounds is taken, everything else refused by name', () => {
  const read = wholeNumber('--limit', 1, 10)
  expect(read('10')).toBe(10)
  for (const text of ['0', '11', '1.5', '-1', 'ten', ''])
    expect(() => read(text)).toThrow('--limit takes a whole number from 1 to 10.')
})

test('a text is taken as it is, an empty one is refused by name', () => {
  expect(text('--name')(' a')).toBe(' a')
  for (const value of ['', ' '])
    expect(() => text('--name')(value)).toThrow('--name was given an empty value')
  expect(texts('--queue')('b', texts('--queue')('a'))).toEqual(['a', 'b'])
  expect(() => texts('--queue')('', ['a'])).toThrow('--queue was given an empty value')
})

test('a time is a date, or a duration from now', () => {
  expect(timeFrom('2030-01-31T08:00Z').toISOString()).toBe('2030-01-31T08:00:00.000Z')
  expect(timeFrom('10m').getTime() - Date.now()).toBeGreaterThan(590_000)
  for (const text of ['tomorrow', '2030-13-01', '10 apples'])
    expect(() => timeFrom(text)).toThrow('It takes a time like')
  for (const text of ['2001-01-01', '9999-01-01'])
    expect(() => timeFrom(text)).toThrow('from a year ago to ten years ahead')
})

test('pairs are gathered', () => {
  expect(pair('b=2=3', pair('a=1'))).toEqual({ a: '1', b: '2=3' })
  for (const given of ['=1', 'a', '']) expect(() => pair(given)).toThrow('It takes name=value.')
  expect(pair('a=')).toEqual({ a: '' })
  expect(textPair('b=2', textPair('a=1'))).toEqual({ a: '1', b: '2' })
  expect(() => textPair('a=')).toThrow('a was given an empty value')
})
