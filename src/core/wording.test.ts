// How durations, times and counts are said.
import { expect, test } from 'vitest'
import { clockOf, count, dateWords, durationWords, grouped, oneLine } from './wording.ts'

test.each([
  [-5, '0 ms'],
  [0.4, '0 ms'],
  [999.6, '1.0 s'],
  [12, '12 ms'],
  [59_999, '59.9 s'],
  [60_000, '1 min'],
  [125_000, '2 min 5 s'],
  [3_600_000, '1 h'],
  [12_000_000, '3 h 20 min'],
  [367_200_000, '4 d 6 h'],
])('%d ms are %s', (ms, words) => {
  expect(durationWords(ms)).toBe(words)
})

test('times are in UTC, and a day that is not the first is named', () => {
  expect(dateWords('2026-11-21T05:40:00.12+00:00')).toBe('2026-11-21 at 05:40:00.120')
  expect(clockOf('2026-11-21T05:40:00Z', '2026-11-21T23:59:59.9Z')).toBe('23:59:59.900')
  expect(clockOf('2026-11-21T05:40:00Z', '2026-11-22T01:00:00Z')).toBe('11-22 01:00:00.000')
})

test('counts have their noun in the right number', () => {
  expect(count(1, 'item', 'items')).toBe('1 item')
  expect(count(1_234, 'item', 'items')).toBe('1,234 items')
  expect(grouped(1_234_567)).toBe('1,234,567')
})

test('a text from outside cannot steer a terminal', () => {
  expect(oneLine('a\u001b[2Jb\nc\u2028d ')).toBe('a [2Jb c d')
})
