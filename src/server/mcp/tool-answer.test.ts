// What a model is handed stays within its bound, however it has to be written.
import { expect, test } from 'vitest'
import { toolAnswer } from './tool-answer.ts'

const hidden = String.fromCodePoint(0x200b)

function textOf(answer: unknown): { text: string; isError: boolean } {
  const { content, isError } = toolAnswer(answer, false, 'mark')
  const [first] = content as { text: string }[]
  return { text: first!.text, isError: isError === true }
}

test('a text of what nobody sees is shortened by what it takes once it is written out, and one answer of many such is too large', () => {
  const long = textOf({ note: hidden.repeat(50_000) })
  expect(long.isError).toBe(false)
  expect(long.text).toContain('48000 more characters')
  expect(long.text.length).toBeLessThan(200_000)
  const many = textOf(Array.from({ length: 100 }, () => hidden.repeat(500)))
  expect(many.isError).toBe(true)
  expect(many.text).toContain('too large')
})
