// What a command reads from its standard input is what was sent, or refused.
import { expect, test } from 'vitest'
import { Session } from './session.ts'
import { jsonValue } from './json-value.ts'
import { readSecretInput } from './standard-input.ts'

function sessionWith(...parts: Uint8Array[]): Session {
  async function* stdin() {
    yield* parts
  }
  const stream = { write: () => true }
  return new Session({}, { stdout: stream, stderr: stream, environment: {}, folder: '/', stdin: stdin() })
}

test('bytes that are no UTF-8 are refused by the name of what they were to be, not altered', async () => {
  const latin = Buffer.from('"gr\u00fcn"', 'latin1')
  await expect(jsonValue(sessionWith(latin), 'The payload', '-')).rejects.toMatchObject({
    code: 'command_invalid',
    message: 'The payload is not in UTF-8.',
  })
  await expect(
    readSecretInput(sessionWith(latin), 'the secret', 'millrace secret set'),
  ).rejects.toMatchObject({ code: 'command_invalid', message: 'The secret is not in UTF-8.' })
})

test('a letter that comes in two parts is one, and the mark that Windows begins files with is none', async () => {
  const text = Buffer.from('\ufeff"gr\u00fcn"')
  expect(await jsonValue(sessionWith(text.subarray(0, 7), text.subarray(7)), 'The payload', '-')).toBe('grün')
  expect(await readSecretInput(sessionWith(Buffer.from('\ufeffs3cret\r\n')), 'the secret', '')).toBe('s3cret')
})
