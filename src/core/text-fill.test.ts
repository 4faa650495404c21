// Lines of at most 80 columns.
import { expect, test } from 'vitest'
import { fill, opposite, pad } from './text-fill.ts'

test('words are filled up to 80 columns, the lines after the first with their own indent', () => {
  const lines = fill('word '.repeat(30).trim(), { first: '- ', next: '    ' })
  expect(lines).toEqual([
    `- ${'word '.repeat(15)}word`.slice(0, 77).trimEnd(),
    `    ${'word '.repeat(14)}word`.trimEnd(),
    ...lines.slice(2),
  ])
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80)
})

test('a word that is longer than a line is cut, not lost', () => {
  const lines = fill('x'.repeat(200), { first: '', next: '  ' })
  expect(lines.join('').replaceAll(' ', '')).toBe('x'.repeat(200))
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80)
})

test('two texts stand at both ends of a line, or on two lines', () => {
  expect(opposite('left', 'right')).toEqual([`left${' '.repeat(71)}right`])
  expect(opposite('l'.repeat(70), 'right wing')).toEqual(['l'.repeat(70), 'right wing'.padStart(80)])
})

test('a text is padded on either side, and never cut', () => {
  expect(pad('ab', 4)).toBe('ab  ')
  expect(pad('ab', 4, 'right')).toBe('  ab')
  expect(pad('abcdef', 4)).toBe('abcdef')
})
