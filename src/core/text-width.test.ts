// Characters as people count them.
import { expect, test } from 'vitest'
import { characters, cut, width } from './text-width.ts'

test('an emoji of several code points and a letter with its accent are one character each', () => {
  expect(characters('a👩‍🚀e\u0301')).toEqual(['a', '👩‍🚀', 'e\u0301'])
  expect(width('👩‍🚀')).toBe(1)
  expect(width('plain')).toBe(5)
})

test('a text is cut between characters', () => {
  expect(cut('abc', 3)).toBe('abc')
  expect(cut('abcd', 3)).toBe('ab…')
  expect(cut('👩‍🚀👩‍🚀👩‍🚀', 2)).toBe('👩‍🚀…')
})
