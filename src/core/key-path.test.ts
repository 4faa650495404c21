// Tests of the run key: which functions are only paths, and which are refused.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type KeyOption, keyPaths } from './key-path.ts'

interface Input {
  state: string
  kind: string
  customer: { id: string; region: string; address: { city: string } }
  items: string[]
}

describe('a key is', () => {
  test.each<[string, KeyOption<Input> | undefined, string[][]]>([
    ['left out', undefined, []],
    ['a path', 'customer.id', [['customer', 'id']]],
    ['a list of paths', ['state', 'items.0'], [['state'], ['items', '0']]],
    ['a property, picked from the parameter', ({ state }) => state, [['state']]],
    ['a property read in the body', (input) => input.customer.id, [['customer', 'id']]],
    ['picked deeper', ({ customer: { address } }) => address.city, [['customer', 'address', 'city']]],
    ['a list that is picked', ({ state, customer }) => [customer.id, state], [['customer', 'id'], ['state']]],
    ['an item by its number', ({ items }) => items[0], [['items', '0']]],
    ['read past something optional', (input) => input.customer?.id, [['customer', 'id']]],
    ['renamed on the way', ({ state: region }) => region, [['state']]],
    [
      'a value and one inside of it',
      ({ customer }) => [customer, customer.id],
      [['customer'], ['customer', 'id']],
    ],
  ])('%s', (_, key, paths) => {
    expect(keyPaths('sweep', key as KeyOption<never>)).toEqual(paths)
  })

  test('any path at all, as a text and as a function', () => {
    const segment = fc.stringMatching(/^[a-zA-Z_$][\w$]{0,10}$/)
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 6 }), (path) => {
        const read = (input: unknown) =>
          path.reduce((value, name) => (value as Record<string, unknown>)[name], input)
        expect(keyPaths('sweep', path.join('.'))).toEqual([path])
        expect(keyPaths('sweep', read)).toEqual([path])
      }),
    )
  })
})

describe('a key is refused that', () => {
  test.each<[string, KeyOption<never>]>([
    ['puts a text together', ({ state }: Input) => `region-${state}`],
    ['adds', ({ state, kind }: Input) => state + kind],
    ['compares', ({ state }: Input) => state === 'TX'],
    ['calls a method', ({ state }: Input) => state.toUpperCase()],
    ['calls a method without arguments on the way', (input: Input) => input.customer.id.trim().length],
    ['calls a function with it', ({ state }: Input) => String(state)],
    ['writes it as JSON', (input: Input) => JSON.stringify(input)],
    ['is a constant', () => 'always'],
    ['is nothing', () => undefined],
    ['is a constant beside a path', ({ state }: Input) => [state, 'x']],
    ['is an object', ({ state }: Input) => ({ state })],
    ['is a list in a list', ({ state }: Input) => [[state]]],
    ['is an empty list', () => []],
    ['is the whole input', (input: Input) => input],
    ['spreads the input', (input: Input) => ({ ...input }).state],
    ['spreads a list', ({ items }: Input) => [...items]],
    ['picks by rest', ({ state, ...rest }: Input) => [state, rest.kind]],
    ['picks an item by position', ({ items: [first] }: Input) => first],
    ['has a default in its parameter', ({ state = 'TX' }: Partial<Input>) => state],
    [
      'has a default on the way',
      ({ customer = { id: '1' } as Input['customer'] }: Partial<Input>) => customer.id,
    ],
    ['has a default for null', ({ state }: Input) => state ?? 'TX'],
    ['has a default for the empty', ({ state }: Input) => state || 'TX'],
    ['chooses by its own value', ({ state }: Input) => (state ? state : 'TX')],
    ['chooses by another value', (input: Input) => (input.kind === 'a' ? input.state : input.customer.id)],
    ['falls back to another value', ({ state, kind }: Input) => state || kind],
    ['reads what it does not return', (input: Input) => [input.kind, input.state][1]],
    ['asks whether something is there', (input: Input) => 'state' in input && input.state],
    ['asks for a class', (input: Input) => (input as unknown) instanceof Date || input.state],
    ['lists names', (input: Input) => Object.keys(input)[0]],
    ['writes', (input: Input) => (input.state = 'TX')],
    ['is computed later', async ({ state }: Input) => state],
    ['constructs', (input: Input) => new (input.state as unknown as new () => unknown)()],
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['is an empty path', ''],
    ['has an empty segment', 'customer..id'],
    ['has no path in its list', []],
    ['is no key', 7 as unknown as string],
    ['holds no path', [7 as unknown as string]],
  ])('%s', (_, key) => {
    expect(() => keyPaths('sweep', key)).toThrow(
      expect.objectContaining({
        code: 'key_not_a_path',
        message: expect.stringMatching(/^The key of pipeline 'sweep' is no path into the input: /) as string,
      }),
    )
  })
})
