// Errors that are kept, and made again: what code looks at is the same.
import { expect, test } from 'vitest'
import { MillraceError, PermanentError, toStepError } from './errors.ts'
import { keepError, restoreError } from './kept-error.ts'

const again = (thrown: unknown) =>
  restoreError(JSON.parse(JSON.stringify(keepError(thrown, { stack: true }))))

test('name, message, code, data and the text of the stack come back, and one that is no retry stays so', () => {
  const error = Object.assign(new TypeError('no list'), { code: 7, data: { at: [1] } })
  expect(again(error) instanceof TypeError).toBe(true)
  expect(again(error)).toMatchObject({ name: 'TypeError', message: 'no list', code: 7, data: { at: [1] } })
  expect((again(error) as Error).stack).toBe(error.stack)
  const own = new (class Declined extends Error {
    override readonly name = 'Declined'
  })('')
  expect(again(own)).toMatchObject({ name: 'Declined', message: '' })
  const permanent = again(new PermanentError('never', { code: 'gone' }))
  expect(permanent instanceof PermanentError).toBe(true)
  expect(toStepError(permanent)).toEqual({ code: 'gone', message: 'never', retryable: false })
  const ours = again(new MillraceError('input_invalid', 'Not this.', { fields: { path: 'a' } }))
  expect(ours instanceof MillraceError).toBe(true)
  expect(ours).toMatchObject({ code: 'input_invalid', fields: { path: 'a' } })
})

test('JQ-33 what is to be hidden is hidden before a text is cut, so that no half of it stays', () => {
  const secret = 'a-secret-of-some-length'
  const redact = (text: string) => text.replaceAll(secret, '[secret]')
  const error = Object.assign(new Error(`${'x'.repeat(3_990)}${secret}`), {
    code: `${'y'.repeat(95)}${secret}`,
  })
  const kept = JSON.stringify(keepError(error, { stack: true, redact }))
  expect(kept).not.toContain('a-secret')
  expect(kept).toContain('[secret]')
})

test('what is no error is thrown as it was, and what JSON cannot keep is left out', () => {
  expect(again('a text')).toBe('a text')
  expect(again({ status: 404 })).toEqual({ status: 404 })
  expect(again(() => 1) instanceof Error).toBe(true)
  expect(again(undefined) instanceof Error).toBe(true)
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  expect(again(Object.assign(new Error('round'), { data: cycle }))).not.toHaveProperty('data')
  const limited = Object.assign(new Error('too fast'), { data: { status: 429, headers: new Map() } })
  expect(again(limited)).toMatchObject({ data: { status: 429 } })
  const hostile = new Error('shown')
  Object.defineProperty(hostile, 'name', {
    get: () => {
      throw new Error('not you')
    },
  })
  expect(again(hostile) instanceof Error).toBe(true)
  expect(again(new Error('a\u0000b'))).toMatchObject({ message: 'a\ufffdb' })
})
