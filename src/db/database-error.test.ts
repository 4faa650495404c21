// Errors of PostgreSQL and the network, told as Millrace's.
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { isAway, isConnectionLoss, sqlState, translateDatabaseError } from './database-error.ts'

function reported(code: string, message = 'something is wrong'): Error {
  return Object.assign(new pg.DatabaseError(message, message.length, 'error'), { severity: 'ERROR', code })
}

const codeOf = (error: unknown): unknown =>
  (translateDatabaseError(error, 'host:5432/shop') as { code?: unknown }).code

describe('a failure is told by its code', () => {
  test.each([
    ['28P01', 'database_login_refused'],
    ['28000', 'database_login_refused'],
    ['3D000', 'database_missing'],
    ['53300', 'database_full'],
    ['42501', 'database_rights_missing'],
    ['25006', 'database_read_only'],
    ['57P01', 'database_unreachable'],
    ['25P03', 'database_unreachable'],
    ['57P03', 'database_unreachable'],
    ['08006', 'database_unreachable'],
  ])('%s as %s', (state, code) => expect(codeOf(reported(state))).toBe(code))

  test.each(['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'ETIMEDOUT'])(
    '%s as database_unreachable',
    (code) => {
      expect(codeOf(Object.assign(new Error('no'), { code }))).toBe('database_unreachable')
    },
  )

  test.each([
    'Connection terminated unexpectedly',
    'timeout expired',
    'Connection terminated due to connection timeout',
    'Client has encountered a connection error and is not queryable',
  ])('"%s" as database_unreachable', (message) =>
    expect(codeOf(new Error(message))).toBe('database_unreachable'),
  )

  test('a missing password as database_login_refused', () => {
    const error = new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string')
    expect(codeOf(error)).toBe('database_login_refused')
  })

  test('with a name that has several addresses, which leave no message', () => {
    const error = Object.assign(new AggregateError([new Error('a')]), { code: 'ECONNREFUSED' })
    expect(translateDatabaseError(error, 'localhost:5432/shop')).toMatchObject({
      message: 'No connection to PostgreSQL at localhost:5432/shop: ECONNREFUSED.',
      cause: error,
    })
  })
})

describe('what is not ours comes back as it was', () => {
  test.each(['23505', '40001', '57014', 'XX000'])('SQLSTATE %s', (state) => {
    const error = reported(state)
    expect(translateDatabaseError(error, 'host')).toBe(error)
    expect(isConnectionLoss(error)).toBe(false)
  })

  test('an error of a program', () => {
    const error = new TypeError('x is not a function')
    expect(translateDatabaseError(error, 'host')).toBe(error)
    expect(translateDatabaseError('text', 'host')).toBe('text')
  })
})

test('a database that is out of something, read-only or not there is away; one that refuses is not', () => {
  const told = (state: string) => translateDatabaseError(reported(state), 'host')
  for (const state of ['53100', '53200', '53300', '25006', '57P03', '08006'])
    expect(isAway(told(state)), state).toBe(true)
  for (const state of ['28P01', '3D000', '42501', '23505']) expect(isAway(told(state)), state).toBe(false)
})

test('a database that is closed to connections is away, and another object that is not ready is not', () => {
  const closed = Object.assign(reported('55000'), { routine: 'CheckMyDatabase' })
  expect(codeOf(closed)).toBe('database_unreachable')
  expect(isConnectionLoss(reported('55000'))).toBe(false)
})

test('the SQLSTATE is found through the wrappers of query builders, and of other drivers', () => {
  expect(sqlState(new Error('Failed query', { cause: reported('40001') }))).toBe('40001')
  expect(sqlState(Object.assign(new Error('other driver'), { severity: 'ERROR', code: '40P01' }))).toBe(
    '40P01',
  )
  expect(sqlState(Object.assign(new Error('network'), { code: 'EPIPE' }))).toBeUndefined()
})
