// Proves how an attempt is told to stop.
import { expect, test } from 'vitest'
import { Abort } from './abort.ts'

test('a signal that is asked for after the abort has fired already, with its reason', () => {
  const abort = new Abort()
  const reason = new Error('the lease was lost')
  abort.abort(reason)
  expect([abort.signal.aborted, abort.signal.reason]).toEqual([true, reason])
})

test('a signal that was asked for before fires, and only the first reason counts', () => {
  const abort = new Abort()
  const fired: unknown[] = []
  abort.signal.addEventListener('abort', () => fired.push(abort.signal.reason))
  const first = new Error('first')
  abort.abort(first)
  abort.abort(new Error('second'))
  expect([fired, abort.reason]).toEqual([[first], first])
})

test('who listens is called once; who no longer listens is not', () => {
  const abort = new Abort()
  let calls = 0
  abort.listen(() => calls++)
  abort.abort(new Error('once'))
  abort.abort(new Error('twice'))
  expect(calls).toBe(1)

  const other = new Abort()
  other.listen(() => calls++)
  other.listen()
  other.abort(new Error('unheard'))
  expect(calls).toBe(1)
})
