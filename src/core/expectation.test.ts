// Expectations as they are written, and when they are met.
import { describe, expect, test } from 'vitest'
import { type Expectation, judgeOutput, judgeQuery, readExpectation } from './expectation.ts'

describe('an expectation as authors write it', () => {
  test('is stored with its paths as lists and its deadline apart', () => {
    expect(readExpectation({ query: 'select true', within: '5m' })).toEqual({
      expect: { query: 'select true' },
      withinMs: 300_000,
    })
    expect(readExpectation({ query: 'select from x', rows: 3 }).expect).toEqual({
      query: 'select from x',
      rows: 3,
    })
    expect(readExpectation({ output: 'report.rows', atLeast: 1 }).expect).toEqual({
      output: ['report', 'rows'],
      at_least: 1,
    })
    expect(readExpectation({ output: ['a.b'], atMost: 2 }).expect).toEqual({ output: ['a.b'], at_most: 2 })
    expect(readExpectation({ output: [], equals: false }).expect).toEqual({ output: [], equals: false })
  })

  test.each([
    [{}, 'either a query or an output'],
    [{ query: 'select true', output: 'x', equals: 1 }, 'either a query or an output'],
    [{ query: ' ' }, 'its query must be a text'],
    [{ query: 'select true', rows: 0 }, 'its rows must be'],
    [{ query: 'select true', atLeast: 1 }, "takes no 'atLeast'"],
    [{ output: 'x' }, 'one of equals, atLeast and atMost'],
    [{ output: 'x', atLeast: 1, atMost: 2 }, 'one of equals, atLeast and atMost'],
    [{ output: 'x', atLeast: Number.NaN }, 'must be numbers'],
    [{ output: 'x', equals: null }, 'any value but null'],
    [{ output: 'a..b', equals: 1 }, 'must be a path'],
    [{ output: 'x', equals: 1, within: '1m' }, "takes no 'within'"],
  ])('%j is refused: %s', (given, why) => {
    expect(() => readExpectation(given as Expectation)).toThrow(why)
  })
})

describe('PP-C9 RR-2 what is not there is no pass', () => {
  test('in an output', () => {
    const judge = (expectation: Parameters<typeof judgeOutput>[0], output: unknown) =>
      judgeOutput(expectation, output).isMet
    expect(judge({ output: ['rows'], at_least: 1 }, { rows: 1 })).toBe(true)
    expect(judge({ output: ['rows'], at_least: 1 }, { rows: 0 })).toBe(false)
    expect(judge({ output: ['rows'], at_most: 5 }, {})).toBe(false)
    expect(judge({ output: ['rows'], at_most: 5 }, null)).toBe(false)
    expect(judge({ output: ['rows'], at_least: 1 }, { rows: '7' })).toBe(false)
    expect(judge({ output: ['length'], at_least: 1 }, [1, 2])).toBe(true)
    expect(judge({ output: ['toString'], equals: {} }, {})).toBe(false)
    expect(judge({ output: [], equals: { a: 1, b: [2] } }, { b: [2], a: 1 })).toBe(true)
  })

  test('in an answer', () => {
    const judge = (rows: unknown[][], isBoolean = true) =>
      judgeQuery({ query: '' }, { rows, isBoolean }).isMet
    expect(judge([[true]])).toBe(true)
    expect(judge([[true, 'more']])).toBe(true)
    for (const rows of [[], [[false]], [[null]], [[]], [[true], [true]]]) expect(judge(rows)).toBe(false)
    expect(judge([['t']], false)).toBe(false)
    expect(judgeQuery({ query: '', rows: 2 }, { rows: [[2]], isBoolean: false }).isMet).toBe(true)
    expect(judgeQuery({ query: '', rows: 2 }, { rows: [[1]], isBoolean: false }).isMet).toBe(false)
    expect(judgeQuery({ query: '', rows: 2 }, { rows: [], isBoolean: false }).isMet).toBe(false)
  })
})
