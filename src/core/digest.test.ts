// Tests of the digest and of the canonical JSON below it.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson, digestOf } from './digest.ts'

test('the order of keys does not change the digest', () => {
  expect(digestOf({ a: 1, b: { c: 2, d: 3 } })).toBe(digestOf({ b: { d: 3, c: 2 }, a: 1 }))
})

test('the order of a list does', () => {
  expect(digestOf([1, 2])).not.toBe(digestOf([2, 1]))
})

test('the digest is the sha256 of the canonical JSON', () => {
  expect(canonicalJson({ b: [1, 'x'], a: undefined, A: null })).toBe('{"A":null,"b":[1,"x"]}')
  expect(digestOf({})).toBe('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a')
})

test('canonical JSON says the same as JSON', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})
