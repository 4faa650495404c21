// What is said of an error: one sentence and the next action, and never a password.
import { expect, test } from 'vitest'
import { MillraceError } from '../core/errors.ts'
import { tellFailure, withoutPasswords } from './failure.ts'
import { createTerminal } from './terminal.ts'

function told(error: unknown, { json = false, debug = false } = {}): { status: number; text: string } {
  let text = ''
  const stream = { write: (more: string) => void (text += more) }
  const terminal = createTerminal({ stdout: stream, stderr: stream, environment: {} }, json)
  return { status: tellFailure(error, terminal, debug), text }
}

test('an error of ours is told with its hint, and ends with the status of its code', () => {
  const error = new MillraceError('pipeline_paused', "The pipeline 'a' is paused.", { hint: 'Resume it.' })
  expect(told(error)).toEqual({ status: 4, text: "Error: The pipeline 'a' is paused. Resume it.\n" })
  expect(JSON.parse(told(error, { json: true }).text)).toEqual({
    error: { code: 'pipeline_paused', message: "The pipeline 'a' is paused.", hint: 'Resume it.' },
  })
})

test('what a known error quotes is one line that no terminal obeys, and a program gets it as it was', () => {
  const message = 'It failed: \u001b]0;x\u0007no\nError: forged \u202etxet'
  const error = new MillraceError('run_failed', message, { hint: 'See a\u009b2Jb.' })
  expect(told(error)).toEqual({
    status: 4,
    text: 'Error: It failed:  ]0;x no Error: forged  txet. See a 2Jb.\n',
  })
  const { text } = told(error, { json: true })
  expect(text).not.toMatch(/[\u0080-\u009f\u202e]/)
  expect(JSON.parse(text)).toEqual({ error: { code: 'run_failed', message, hint: 'See a\u009b2Jb.' } })
})

test('colours go to a terminal alone, also where a person sees the other output', () => {
  const textOn = (isTTY: boolean): string => {
    let text = ''
    const stderr = { isTTY, write: (more: string | Uint8Array) => void (text += String(more)) }
    const stdout = { isTTY: true, write: () => {} }
    tellFailure(
      new MillraceError('config_invalid', 'No.'),
      createTerminal({ stdout, stderr, environment: {} }, false),
      false,
    )
    return text
  }
  expect(textOn(true)).toContain('\u001b[31mError:\u001b[39m No.')
  expect(textOn(false)).toMatch(/^Error: No\. /)
})

test('without a hint the remedy of the catalogue is the next action', () => {
  expect(told(new MillraceError('config_invalid', 'It is wrong.')).text).toBe(
    'Error: It is wrong. Correct the setting that the message names.\n',
  )
})

test('an error of another copy of the package is known by its code', () => {
  const other = Object.assign(new Error('No way.'), { name: 'MillraceError', code: 'config_invalid' })
  expect(told(other).status).toBe(2)
})

test('an unexpected error is one line; --debug shows the stack, without passwords', () => {
  const error = new Error('cannot use\npostgres://ada:geheim@host/app')
  expect(told(error)).toEqual({
    status: 1,
    text: 'Error: cannot use postgres://ada:…@host/app. This was not expected: --debug shows where it comes from.\n',
  })
  const debugged = told(error, { debug: true }).text
  expect(debugged).toContain('failure.test.ts')
  expect(debugged).not.toContain('geheim')
  expect(told('a text').text).toContain('a text')
})

test('a password is taken out wherever an address stands', () => {
  expect(withoutPasswords('a postgresql://u:p%40@h/d and postgres://u:p2@h')).toBe(
    'a postgresql://u:…@h/d and postgres://u:…@h',
  )
  expect(withoutPasswords('postgres://u:p@ss@h/d?x=a@b')).toBe('postgres://u:…@h/d?x=a@b')
  expect(withoutPasswords('postgres://h/d?user=u&password=geheim&sslmode=require')).toBe(
    'postgres://h/d?user=u&password=…&sslmode=require',
  )
})
