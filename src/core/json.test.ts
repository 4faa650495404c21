// Tests of the edge that every JSON value crosses.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkJson, formatPath, jsonBytesMax, parseJsonText } from './json.ts'

const what = 'The output of step store'

function problemOf(work: () => unknown): { code?: string; path?: unknown; message?: string } {
  try {
    work()
    return {}
  } catch (error) {
    const { code, fields, message } = error as { code: string; fields: { path?: unknown }; message: string }
    return { code, path: fields.path, message }
  }
}

const check = (value: unknown) => checkJson(value, { what })

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < depth; level += 1) value = [value]
  return value
}

function cyclic(): unknown {
  const order = { id: 1, lines: [{ price: 2, order: undefined as unknown }] }
  order.lines[0]!.order = order
  return order
}

describe('what a handler returns', () => {
  test('is kept as JSON.stringify writes it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(check(value)).toBe(JSON.stringify(value))
      }),
    )
  })

  test('keeps a Date as a text, loses undefined properties, and is null where it is nothing', () => {
    expect(check({ at: new Date(0), gone: undefined })).toBe('{"at":"1970-01-01T00:00:00.000Z"}')
    expect(check(undefined)).toBe('null')
    expect(check([undefined])).toBe('[null]')
  })

  test.each([
    ['a Map', new Map([['a', 1]]), 'it is a Map, of which JSON keeps nothing'],
    ['a Set', new Set([1]), 'it is a Set, of which JSON keeps nothing'],
    ['a promise', Promise.resolve(1), 'it is a promise, of which JSON keeps nothing: await it'],
  ])('is refused where %s would become an empty object', (_, value, reason) => {
    expect(problemOf(() => check({ rows: [value] }))).toEqual({
      code: 'json_invalid',
      path: 'rows[0]',
      message: `The output of step store cannot be kept as JSON: at rows[0], ${reason}.`,
    })
  })

  test('passes with what would become an empty object where the rest is worth more', () => {
    const told = { status: 429, headers: new Map([['a', 1]]) }
    expect(checkJson(told, { what, emptied: true })).toBe('{"status":429,"headers":{}}')
  })

  test('may be of a class of its own, or of none', () => {
    class Point {
      readonly x = 1
    }
    expect(check([new Point(), Object.assign(Object.create(null) as object, { y: 2 })])).toBe(
      '[{"x":1},{"y":2}]',
    )
  })

  test('H3 minus zero becomes zero', () => {
    expect(check({ n: -0 })).toBe('{"n":0}')
  })

  test('may spell out an escape without holding the character', () => {
    expect(check(String.raw`\u0000 \ud800`)).toBe(String.raw`"\\u0000 \\ud800"`)
  })

  test('may have a toJSON that returns the object itself, which is asked once', () => {
    const value = {
      n: 1,
      toJSON() {
        return this
      },
    }
    expect(check(Object.defineProperty(value, 'toJSON', { enumerable: false }))).toBe('{"n":1}')
  })
})

describe('A14 an output that cannot be kept is refused, with its path', () => {
  test.each<[string, unknown, string, RegExp]>([
    ['a NUL character', { a: ['x', 'b\u0000'] }, 'a[1]', /NUL/],
    ['a bigint', { total: { cents: 1n } }, 'total.cents', /bigint/],
    ['a cycle', cyclic(), 'lines[0].order', /contains itself/],
    ['NaN', { rate: [1, Number.NaN] }, 'rate[1]', /NaN/],
    ['Infinity', [-Infinity], '[0]', /-Infinity/],
    ['a boxed NaN', [Object(Number.NaN)], '[0]', /NaN/],
    ['a function', { rows: { map: () => 1 } }, 'rows.map', /function/],
    ['a symbol', [Symbol('x')], '[0]', /symbol/],
    ['an invalid Date', { at: new Date('never') }, 'at', /invalid Date/],
    ['what a toJSON gives', { money: { toJSON: () => ({ cents: 1n }) } }, 'money.cents', /bigint/],
    ['an odd key', { 'a b': { "it's": 1n } }, '["a b"]["it\'s"]', /bigint/],
    ['the value itself', 1n, '', /at the top/],
  ])('%s', (_, value, path, message) => {
    expect(problemOf(() => check(value))).toEqual({
      code: 'json_invalid',
      path,
      message: expect.stringMatching(message) as string,
    })
  })

  test('a getter that throws', () => {
    const value = {
      get rows() {
        throw new Error('closed')
      },
    }
    expect(problemOf(() => check(value))).toMatchObject({
      code: 'json_invalid',
      message: expect.stringMatching(/closed/) as string,
    })
  })

  test('300 MB, without writing them out first', () => {
    const line = 'x'.repeat(1_000_000)
    const lines = Array.from({ length: 300 }, () => line)
    const started = performance.now()
    expect(problemOf(() => check(lines))).toMatchObject({ code: 'json_too_large' })
    expect(performance.now() - started).toBeLessThan(200)
  })

  test('a small value that would be written out endlessly', () => {
    let value: unknown = 'x'
    for (let level = 0; level < 90; level += 1) value = [value, value]
    expect(problemOf(() => check(value))).toMatchObject({ code: 'json_too_large' })
  })
})

test('the limit counts bytes as they are written: one byte less passes', () => {
  expect(check('x'.repeat(jsonBytesMax - 2))).toHaveLength(jsonBytesMax)
  expect(() => check('x'.repeat(jsonBytesMax - 1))).toThrow(
    expect.objectContaining({ code: 'json_too_large' }),
  )
  expect(() => check('é'.repeat(jsonBytesMax / 2))).toThrow(
    expect.objectContaining({ fields: { what, bytes: jsonBytesMax + 2, limit: jsonBytesMax } }),
  )
  expect(checkJson('é', { what, maxBytes: 4 })).toBe('"é"')
})

test('H1 NUL and lone surrogates are refused with their path, in values and in names', () => {
  expect(problemOf(() => check({ a: { b: '\ud800' } }))).toMatchObject({ code: 'json_invalid', path: 'a.b' })
  expect(problemOf(() => check({ a: { 'b\u0000': 1 } }))).toMatchObject({ path: String.raw`a["b\u0000"]` })
  expect(problemOf(() => parseJsonText(String.raw`{"a":["\u0000"]}`, { what }))).toMatchObject({
    path: 'a[0]',
  })
  expect(problemOf(() => parseJsonText(String.raw`{"a":"\udfff"}`, { what }))).toMatchObject({ path: 'a' })
  expect(parseJsonText(String.raw`"\ud83d\ude00"`, { what })).toBe('😀')
})

test('H2 a value is refused beyond 100 levels, however deep', () => {
  expect(check(nested(100))).toHaveLength(201)
  expect(problemOf(() => check(nested(101)))).toMatchObject({
    message: expect.stringMatching(/more than 100 deep/) as string,
  })
  const text = '['.repeat(20_000) + ']'.repeat(20_000)
  expect(problemOf(() => parseJsonText(text, { what }))).toMatchObject({ code: 'json_invalid' })
  expect(problemOf(() => check(nested(20_000)))).toMatchObject({ code: 'json_invalid' })
})

test('H3 numbers that JavaScript cannot hold are refused with their path, the last of equal keys counts', () => {
  expect(problemOf(() => parseJsonText('{"a":[1,1e400]}', { what }))).toMatchObject({ path: 'a[1]' })
  expect(problemOf(() => parseJsonText('{"id":9007199254740993}', { what }))).toMatchObject({ path: 'id' })
  expect(parseJsonText('[9007199254740991, 0.1, -0]', { what })).toEqual([9_007_199_254_740_991, 0.1, -0])
  expect(parseJsonText('{"a":1,"a":2}', { what })).toEqual({ a: 2 })
})

test('a text that is no JSON is refused', () => {
  expect(problemOf(() => parseJsonText('{a:1}', { what }))).toMatchObject({ code: 'json_invalid', path: '' })
  expect(problemOf(() => parseJsonText(`"${'x'.repeat(100)}"`, { what, maxBytes: 100 }))).toMatchObject({
    code: 'json_too_large',
  })
})

test('what passes the edge comes back from it the same', () => {
  const anyUnit = fc.oneof(
    fc.constantFrom('a', '\u0000', '\ud800', '\udc00', '\\'),
    fc.string({ unit: 'binary' }),
  )
  const values = fc.anything({
    values: [fc.string({ unit: anyUnit }), fc.double(), fc.boolean()],
    maxDepth: 3,
  })
  fc.assert(
    fc.property(values, (value) => {
      let text: string
      try {
        text = check(value)
      } catch {
        return
      }
      expect(text).not.toMatch(/(?<!\\)(\\\\)*\\u(0000|d[89a-f])/)
      expect(check(JSON.parse(text))).toBe(text)
    }),
  )
})

test('a path is written as people write it', () => {
  expect(formatPath(['customer', 'lines', 3, 'odd key'])).toBe('customer.lines[3]["odd key"]')
  expect(formatPath([])).toBe('')
})
