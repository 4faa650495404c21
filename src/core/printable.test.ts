// What of a text from outside is shown.
import { expect, test } from 'vitest'
import { printable, printableJson } from './printable.ts'
import { fill } from './text-fill.ts'
import { oneLine } from './wording.ts'

const clipboard = '\u001b]52;c;eA==\u0007'
const reversed = 'pay \u202e001\u202c to\u2066 me'

test('what a terminal would obey, and what turns the order in which a line is read, is a space', () => {
  expect(printable(`a${clipboard}b\n\tc\rd\u009b2Je\u2028f`)).toBe('a ]52;c;eA== b\n\tc d 2Je f')
  expect(printable(reversed)).toBe('pay  001  to  me')
  expect(oneLine(`a${clipboard}\nb${reversed}`)).toBe('a ]52;c;eA== bpay  001  to  me')
  expect(fill(`it said a\nError: b\u009b2J`)).toEqual(['it said a Error: b 2J'])
  expect(printable('naïve — 数 👩‍👩‍👧 עברית')).toBe('naïve — 数 👩‍👩‍👧 עברית')
})

test('as JSON it is escaped, so that people see it and programs read the same value', () => {
  const value = { text: `${reversed}${clipboard}\u0085`, lines: 'a\nb' }
  const text = printableJson(value)
  expect(text).toBe(
    '{"text":"pay \\u202e001\\u202c to\\u2066 me\\u001b]52;c;eA==\\u0007\\u0085","lines":"a\\nb"}',
  )
  expect(JSON.parse(text)).toEqual(value)
  expect(printableJson(value, 2).split('\n')).toHaveLength(4)
  expect(printableJson(undefined)).toBe('null')
})
