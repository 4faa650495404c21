// The run key as a starting process knows it.
import { expect, test } from 'vitest'
import { knownRunKey } from './run-key.ts'

test('a pipeline without a key has none', () => {
  expect(knownRunKey({ a: 1 }, [])).toBeNull()
})

test('one plain value is the key as the database writes it', () => {
  expect(knownRunKey({ a: { b: 'x' } }, [['a', 'b']])).toBe('x')
  expect(knownRunKey({ a: 42 }, [['a']])).toBe('42')
  expect(knownRunKey({ a: true }, [['a']])).toBe('true')
})

test('what only the database computes for sure is left to it', () => {
  for (const value of [1.5, 1e21, -0, null, undefined, {}, [1]])
    expect(knownRunKey({ a: value }, [['a']])).toBeUndefined()
  expect(knownRunKey({ a: 'x', b: 'y' }, [['a'], ['b']])).toBeUndefined()
  expect(knownRunKey(null, [['a']])).toBeUndefined()
  expect(knownRunKey({}, [['toString']])).toBeUndefined()
})
