// The key of a cached value: one text for equal values, a bounded one, and none for what can't be told apart.
import { expect, test } from 'vitest'
import { cacheKeyText, checkCacheScope } from './cache-key.ts'

const text = (key: unknown) => cacheKeyText(key, 'The key')

test('a text, a number and a boolean are their own text, and other data is one text whatever the order of its names', () => {
  expect([text('CA'), text(7), text(true), text('7')]).toEqual(['CA', '7', 'true', '7'])
  expect(text({ b: [1, null], a: 'x' })).toBe('{"a":"x","b":[1,null]}')
  expect(text({ a: 'x', b: [1, null] })).toBe(text({ b: [1, null], a: 'x' }))
  expect(text({ at: new Date(0) })).toBe('{"at":"1970-01-01T00:00:00.000Z"}')
})

test('a key that is too long keeps its beginning and is told apart by its hash', () => {
  const [one, other] = [text(`${'a'.repeat(600)}1`), text(`${'a'.repeat(600)}2`)]
  expect(one).toHaveLength(500)
  expect(one.startsWith('aaaa')).toBe(true)
  expect(one).not.toBe(other)
  expect(text('😀'.repeat(400))).toMatch(/^😀+…[0-9a-f]{64}$/u)
})

test.each([undefined, null, '', Number.NaN, 'nul\0', '\ud800', { at: 1n }, () => 1])(
  'a key that is missing or can not be kept is refused: %s',
  (key) => {
    expect(() => text(key)).toThrow(expect.objectContaining({ code: 'cache_key_invalid' }))
  },
)

test('a scope is a name, or those of a pipeline and a step', () => {
  expect([checkCacheScope('taxes'), checkCacheScope('quote/price')]).toEqual(['taxes', 'quote/price'])
  for (const scope of ['', 'A', 'a b', 'a/b/c', '/a', 7, null, 'a'.repeat(64)])
    expect(() => checkCacheScope(scope)).toThrow(expect.objectContaining({ code: 'cache_key_invalid' }))
})
