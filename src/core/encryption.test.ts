// The envelope, the key ring and the redaction, by their properties.
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { differences, differenceWords } from './difference.ts'
import { Cipher, type Envelope, isEnvelope } from './encryption.ts'
import { createKeyRing, keysOfText } from './key-ring.ts'
import { Redactor } from './redaction.ts'
import { noKeyFor, RunCipher, shown } from './run-cipher.ts'

const newKey = () => randomBytes(32).toString('base64')
const ring = createKeyRing({ k2: newKey(), k1: newKey() })!
const cipher = new Cipher(ring, (bytes) => randomBytes(bytes))

const run = 'run-1'

test('FO-12 whatever is sealed opens to the same text, in its own place alone, and never looks alike twice', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), fc.string(), (text, field, other) => {
      const given = Buffer.from(text).toString()
      const sealed = cipher.seal(run, field, given)
      const envelope = JSON.parse(sealed) as Envelope
      expect(isEnvelope(envelope)).toBe(true)
      expect(cipher.open(run, field, envelope)).toBe(given)
      expect(cipher.seal(run, field, given)).not.toBe(sealed)
      expect(() => cipher.open('run-2', field, envelope)).toThrow(
        expect.objectContaining({ code: 'decryption_failed' }),
      )
      if (other !== field)
        expect(() => cipher.open(run, other, envelope)).toThrow(
          expect.objectContaining({ code: 'decryption_failed' }),
        )
    }),
  )
})

test('J5 a flipped bit, a truncated nonce or tag, and another key of the same id are refused; both keys read during a rotation', () => {
  const envelope = JSON.parse(cipher.seal(run, 'input', '{"a":1}')) as Envelope
  const changed = (change: Partial<Envelope['$encrypted']>): Envelope => ({
    $encrypted: { ...envelope.$encrypted, ...change },
  })
  const bytes = Buffer.from(envelope.$encrypted.data, 'base64')
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    expect(() => cipher.open(run, 'input', changed({ data: flipped.toString('base64') }))).toThrow(
      expect.objectContaining({ code: 'decryption_failed' }),
    )
  }
  for (const change of [
    { nonce: 'AAAA' },
    { nonce: '' },
    { data: '' },
    { data: bytes.subarray(0, 8).toString('base64') },
  ])
    expect(() => cipher.open(run, 'input', changed(change))).toThrow(
      expect.objectContaining({ code: 'decryption_failed' }),
    )
  expect(() => cipher.open(run, 'input', changed({ key: 'k9' }))).toThrow(
    expect.objectContaining({
      code: 'encryption_key_missing',
      message: expect.stringContaining("'k9'") as string,
    }),
  )
  const other = new Cipher(createKeyRing({ k2: newKey() })!, (n) => randomBytes(n))
  expect(() => other.open(run, 'input', envelope)).toThrow(
    expect.objectContaining({ code: 'decryption_failed' }),
  )
})

test('FO-12 every value of a run opens as what it was: inputs, outputs, lists, checkpoints, errors, what steps say', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (given) => {
      const text = JSON.stringify(given)
      const value: unknown = JSON.parse(text)
      const own = new RunCipher(cipher, run)
      const parse = (sealed: string): unknown => JSON.parse(sealed)
      expect(own.openInput(parse(own.sealInput(text)))).toEqual(value)
      expect(own.openOutput('s', parse(own.sealOutput('s', -1, text, false)))).toEqual(value)
      expect(own.openOutput('s', parse(own.sealOutput('s', -1, text, true)))).toEqual(value)
      expect(own.openOutput('s', parse(own.sealOutput('s', 3, text, false)), 3)).toEqual(value)
      expect(own.openCheckpoint('s', -1, 'n/a', parse(own.sealCheckpoint('s', -1, 'n/a', text)))).toEqual(
        value,
      )
      expect(own.open('stream', 's', 0, parse(own.seal('stream', 's', 0, text)))).toEqual(value)
      expect(JSON.stringify(own.resealOutput('s', -1, value))).toBe(JSON.stringify(value))
    }),
  )
  const kept = JSON.parse(
    new RunCipher(cipher, run).sealKeptError('s', -1, 'n', '{"message":"no"}'),
  ) as unknown
  expect(new RunCipher(cipher, run).openKeptError('s', -1, 'n', kept)).toEqual({ message: 'no' })
  expect(() => new RunCipher(cipher, run).openCheckpoint('s', -1, 'n', kept)).toThrow(
    expect.objectContaining({ code: 'decryption_failed' }),
  )
  const error = { code: 'bad', message: 'it is bad', retryable: false, stack: 'at line 1' }
  const own = new RunCipher(cipher, run)
  const sealed = own.sealError('s', 2, error)
  expect(sealed).toMatchObject({ code: 'bad', message: '[encrypted]', retryable: false })
  expect(own.openError('s', 2, { ...sealed, step: 's', item: 2 })).toEqual({ ...error, step: 's', item: 2 })
  expect(shown({ only: sealed, list: [JSON.parse(own.sealInput('1'))] })).toMatchObject({
    list: ["encrypted with key 'k2'"],
  })
})

test('a key ring takes 32 bytes in base64 by an id, and names what is wrong without showing a key', () => {
  const key = newKey()
  expect(createKeyRing(keysOfText(` k2:${key} , k1:${newKey()},`))?.ids).toEqual(['k2', 'k1'])
  expect(createKeyRing(keysOfText(undefined))).toBeUndefined()
  const short = randomBytes(31).toString('base64')
  for (const bad of [
    () => createKeyRing({ k: short }),
    () => createKeyRing({ k: `${key}!` }),
    () => createKeyRing({ '1': key }),
    () => keysOfText(key),
    () => keysOfText(`k:${key},k:${key}`),
    () => createKeyRing(keysOfText(`__proto__:${key}`)),
  ]) {
    expect(bad).toThrow(expect.objectContaining({ code: 'encryption_key_invalid' }))
    expect(bad).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(short.slice(0, 8)) as string }),
    )
  }
})

test('PP-S17 whatever text holds a secret, plain or in JSON, in an address or in base64, holds its name instead', () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 4, maxLength: 60 }),
      fc.string(),
      fc.string(),
      (value, before, after) => {
        const redactor = new Redactor()
        expect(redactor.isEmpty).toBe(true)
        redactor.add('it', value)
        expect(redactor.redact(`${before}${value}${after}`)).toContain('[secret it]')
        const told = { [`${before}${value}`]: [value, { deep: `${value}${after}` }] }
        const redacted = redactor.redactValue(told)
        // The name that stands in its place may hold a short value itself.
        if (!'[secret it]'.includes(value) && !`${before}[secret it]${after}`.includes(value))
          expect(JSON.parse(JSON.stringify(Object.values(redacted)))).toEqual([
            ['[secret it]', { deep: expect.not.stringContaining(value) as string }],
          ])
        expect(redactor.redact(Buffer.from(value).toString('base64'))).toContain('[secret it]')
      },
    ),
    { numRuns: 200 },
  )
})

test('PP-S17 what is redacted stays JSON, whatever the value is: a number, what JSON is made of, JSON in JSON, a half of a surrogate', () => {
  const redacted = (value: string, told: unknown) => {
    const redactor = new Redactor()
    redactor.add('pin', value)
    return JSON.parse(redactor.redactJson(JSON.stringify(told))) as unknown
  }
  expect(redacted('12345678', { pin: 12345678, other: 123456789 })).toEqual({
    pin: '[secret pin]',
    other: 123456789,
  })
  expect(redacted('true', { is: true, said: 'true' })).toEqual({ is: true, said: '[secret pin]' })
  expect(redacted('":[{"', { a: [{ b: 1 }] })).toEqual({ a: [{ b: 1 }] })
  const quoted = 'pass"word\n'
  expect(redacted(quoted, { body: JSON.stringify({ of: JSON.stringify({ it: quoted }) }) })).toEqual({
    body: expect.not.stringContaining('word') as string,
  })
  expect(redacted('half \ud800', ['it is half \ud800'])).toEqual(['it is [secret pin]'])
})

test('PP-S17 a value is found in base64 also behind and before something else, and in a form', () => {
  const redactor = new Redactor()
  redactor.add('it', 'pass word+9/~x')
  for (const before of ['', 'a', 'ab', 'name:'])
    for (const after of ['', 'z', 'zz', 'zzz'])
      for (const encoding of ['base64', 'base64url'] as const)
        expect(redactor.redact(Buffer.from(`${before}pass word+9/~x${after}`).toString(encoding))).toContain(
          '[secret it]',
        )
  expect(redactor.redact(new URLSearchParams({ p: 'pass word+9/~x' }).toString())).toBe('p=[secret it]')
})

test('PP-S17 of values that overlap nothing is left, and of ten thousand the one that was read again is still known', () => {
  const redactor = new Redactor()
  redactor.add('first', 'abcdef')
  redactor.add('second', 'defghij')
  expect(redactor.redact('<abcdefghij> <abcdef> <defghij>')).toBe(
    '<[secret second]> <[secret first]> <[secret second]>',
  )
  redactor.add('renamed', 'abcdef')
  expect(redactor.redact('abcdef')).toBe('[secret renamed]')
  for (let n = 0; n < 9_999; n++) redactor.add('other', `value ${n}`)
  redactor.add('renamed', 'abcdef')
  expect(redactor.redact('defghij, abcdef, value 0')).not.toMatch(/value|defghij|abcdef/)
  for (let n = 9_999; n < 11_000; n++) redactor.add('other', `value ${n}`)
  expect(redactor.redact('abcdef, value 10999')).toBe('[secret renamed], [secret other]')
  expect(redactor.redact('defghij')).toBe('defghij')
})

test('FO-12 an output of which every part is a list has a key, like any other', () => {
  const own = new RunCipher(cipher, run)
  const list: unknown = JSON.parse(own.sealOutput('each', -1, '[1,2]', true))
  expect(noKeyFor({ each: list, none: null }, 'output')).toMatchObject({ code: 'encryption_key_missing' })
  expect(noKeyFor({ each: [1, { a: 2 }] }, 'output')).toBeUndefined()
})

test('E2 two inputs are told apart by the paths at which they differ', () => {
  const found = differences(
    { a: 1, b: { c: [1, 2], d: 'x' }, e: null },
    { a: 1, b: { c: [1, 3], d: 'x' }, f: true },
  )
  expect(found).toEqual([
    { path: 'b.c[1]', before: 2, after: 3 },
    { path: 'e', before: null, after: undefined },
    { path: 'f', before: undefined, after: true },
  ])
  expect(differenceWords(found, true)).toBe('b.c[1] (2, now 3), e (null, now nothing), f (nothing, now true)')
  expect(differenceWords(found, false)).toBe('b.c[1], e, f')
  expect(differences(1, 2)).toEqual([{ path: '', before: 1, after: 2 }])
  expect(differences({ a: { b: 1 } }, { a: { b: 1 } })).toEqual([])
})

test('two inputs are told apart in one walk, however deep they are', () => {
  let reads = 0
  const counted = (list: number[]) =>
    new Proxy(list, {
      get: (target, name) => {
        if (typeof name === 'string' && /^\d+$/.test(name)) reads++
        return Reflect.get(target, name) as unknown
      },
    })
  const nested = (last: number) => {
    let value: unknown = counted([...Array<number>(100).fill(0), last])
    for (let level = 0; level < 90; level++) value = { of: value }
    return value
  }
  const path = `${Array<string>(90).fill('of').join('.')}[100]`
  expect(differences(nested(1), nested(2))).toEqual([{ path, before: 1, after: 2 }])
  expect(reads).toBeLessThan(1_000)
})
