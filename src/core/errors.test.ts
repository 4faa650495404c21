// Tests of the catalogue, of the classes that carry it, and of the stored form of a step's error.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { catalogue, fromSqlState, MillraceError, PermanentError, toStepError } from './errors.ts'

test('every entry of the catalogue is a code in snake case, with a cause that is a sentence and a remedy', () => {
  for (const [code, { cause, remedy }] of Object.entries(catalogue)) {
    expect(code).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/)
    expect(cause).toMatch(/^[^ ].*\.$/s)
    expect(remedy.trim()).not.toBe('')
  }
})

test('a SQLSTATE belongs to one code at most', () => {
  const states = Object.values(catalogue).flatMap((entry) => ('sqlstate' in entry ? [entry.sqlstate] : []))
  expect(new Set(states).size).toBe(states.length)
  for (const [code, entry] of Object.entries(catalogue)) {
    if ('sqlstate' in entry) expect(fromSqlState(entry.sqlstate)).toBe(code)
  }
  expect(fromSqlState('23505')).toBeUndefined()
})

test('an error carries its code, its fields, its hint and its cause', () => {
  const cause = new Error('below')
  const error = new MillraceError('step_unknown', 'There is no step x.', {
    fields: { step: 'x' },
    hint: 'See y.',
    cause,
  })
  expect(error).toMatchObject({
    name: 'MillraceError',
    code: 'step_unknown',
    fields: { step: 'x' },
    hint: 'See y.',
    cause,
  })
  expect(new MillraceError('step_unknown', 'There is no step x.')).toMatchObject({
    fields: {},
    hint: undefined,
  })
})

test('JQ-20 a permanent error is not retried, an ordinary one is', () => {
  expect(toStepError(new PermanentError('no such customer', { code: 'customer_unknown' }))).toEqual({
    code: 'customer_unknown',
    message: 'no such customer',
    retryable: false,
  })
  expect(toStepError(new PermanentError('gone'))).toMatchObject({ code: 'permanent', retryable: false })
  expect(toStepError(new TypeError('x is undefined'))).toEqual({
    code: 'TypeError',
    message: 'x is undefined',
    retryable: true,
  })
})

test('A14 an output that JSON cannot hold is not tried again', () => {
  expect(toStepError(new MillraceError('json_invalid', 'It holds a NUL.'))).toMatchObject({
    retryable: false,
  })
  expect(toStepError(new MillraceError('output_invalid', 'It does not fit.'))).toMatchObject({
    retryable: true,
  })
})

test('JQ-21 no stack is kept unless asked for', () => {
  expect(toStepError(new Error('x'))).not.toHaveProperty('stack')
  expect(toStepError(new Error('x'), { stack: true }).stack).toMatch(/^Error: x\n/)
})

test('the code is that of the error, such as the one of Postgres', () => {
  expect(toStepError(Object.assign(new Error('duplicate key'), { code: '23505' }))).toMatchObject({
    code: '23505',
  })
  expect(toStepError(Object.assign(new Error('x'), { code: 7 }))).toMatchObject({ code: 'Error' })
})

test('an aggregate without a message tells those of its errors', () => {
  const error = new AggregateError([
    new Error('connect ECONNREFUSED ::1'),
    new Error('connect ECONNREFUSED 127.0.0.1'),
  ])
  expect(toStepError(error).message).toBe('connect ECONNREFUSED ::1; connect ECONNREFUSED 127.0.0.1')
})

test('a long message is cut, and nothing that Postgres cannot store is left in it', () => {
  expect(toStepError(new Error('x'.repeat(10_000))).message).toHaveLength(4_000)
  expect(toStepError(new Error(`a\u0000b\ud800`)).message).toBe('a\ufffdb\ufffd')
  const { message } = toStepError(new Error(`${'x'.repeat(3_998)}😀😀`))
  expect(message).not.toMatch(/\p{Surrogate}/u)
})

test('whatever is thrown becomes an error that can be stored', () => {
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }), (thrown) => {
      const error = toStepError(thrown, { stack: true })
      expect(JSON.parse(JSON.stringify(error))).toEqual(error)
      expect(JSON.stringify(error)).not.toContain('\\u0000')
    }),
  )
  const hostile = new Proxy(
    {},
    {
      get: () => {
        throw new Error('no')
      },
    },
  )
  expect(toStepError(hostile)).toMatchObject({ code: 'Error', retryable: true })
})
