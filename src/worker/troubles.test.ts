// What a worker says about its database: nothing twice in a while, and nothing never.
import { expect, test } from 'vitest'
import { MillraceError } from '../core/errors.ts'
import { Troubles } from './troubles.ts'

function troubled() {
  const lines: string[] = []
  const clock = { now: 0 }
  const troubles = new Troubles(
    ({ message }) => lines.push(message),
    () => clock.now,
  )
  return { lines, clock, troubles }
}

test('errors that always come together are each told, and again after a while', () => {
  const { lines, clock, troubles } = troubled()
  for (const at of [0, 1_000, 600_000]) {
    clock.now = at
    troubles.failed(new Error('no partitions'))
    troubles.failed(new Error('no sealing'))
  }
  const both = ['The database refused a call: no partitions', 'The database refused a call: no sealing']
  expect(lines).toEqual([...both, ...both])
})

test('a database that is away is told once, whatever the reasons are within a second', () => {
  const { lines, clock, troubles } = troubled()
  const away = (message: string) => troubles.failed(new MillraceError('database_unreachable', message))
  away('refused')
  away('reset')
  clock.now = 900
  away('refused')
  expect(lines).toEqual(["The database can't be used at present: refused"])
  clock.now = 2_000
  away('reset')
  expect(lines).toHaveLength(2)
})

test('errors that all differ do not fill the log', () => {
  const { lines, clock, troubles } = troubled()
  for (let n = 0; n < 1_000; n++) troubles.failed(new Error(`row ${n}`))
  expect(lines).toHaveLength(100)
  clock.now = 30_000
  troubles.failed(new Error('row 1000'))
  expect(lines).toHaveLength(101)
})

test('a store that refuses is told in its own words', () => {
  const { lines, troubles } = troubled()
  troubles.failed(new MillraceError('artifact_store_failed', 'The store said no.'))
  expect(lines).toEqual(['The store said no.'])
})
