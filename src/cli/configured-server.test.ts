// What people read of the server's log: no event without what it is found by.
import { expect, test } from 'vitest'
import pg from 'pg'
import { errorFacts, stackOf } from '../server/server-log.ts'
import { serverLog } from './configured-server.ts'
import { createTerminal } from './terminal.ts'

function logging() {
  let text = ''
  const stdout = { write: (part: string | Uint8Array) => void (text += String(part)) }
  const log = serverLog(createTerminal({ stdout, stderr: stdout, environment: {} }, false))
  return { log, text: () => text }
}

test('what the database refused is told by its state and its place, never by its own words', () => {
  const { log, text } = logging()
  const error = Object.assign(new pg.DatabaseError('a row of somebody', 0, 'error'), {
    code: '23514',
    severity: 'ERROR',
  })
  log({
    level: 'error',
    event: 'stream.failed',
    correlation_id: 'c1',
    follows: 'run',
    ...errorFacts(error),
    stack: stackOf(error),
  })
  const [line, ...places] = text().trimEnd().split('\n')
  expect(line).toBe('stream.failed follows=run sql_state=23514 (c1)')
  expect(places.length).toBeGreaterThan(0)
  for (const place of places) expect(place).toMatch(/^ +at /)
  expect(text()).not.toContain('somebody')
})

test('any other error is told once, with its place where it is an error of the server', () => {
  const { log, text } = logging()
  const error = new Error('one line\nand another')
  const facts = { event: 'request.failed', ...errorFacts(error), stack: stackOf(error) }
  log({ level: 'error', ...facts })
  expect(text()).toMatch(/^request\.failed one line and another\n +at /)
  const { log: warn, text: warned } = logging()
  warn({ level: 'warn', ...facts, error: 'short' })
  expect(warned()).toBe('request.failed short\n')
})

test('a delivery that failed is named with its webhook and the reason', () => {
  const { log, text } = logging()
  log({ level: 'warn', event: 'delivery.failed', delivery: 'd1', webhook: 'people', reason: 'map_failed' })
  expect(text()).toBe('delivery.failed delivery=d1 webhook=people reason=map_failed\n')
})
