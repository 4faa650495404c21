// What the chaos refuses to begin with: an argument that is no number would end in a run without load or faults, in which nothing is broken.
import { expect, test } from 'vitest'
import { readArguments } from './arguments.ts'

test('what is left out is as by default, and the seed is drawn', () => {
  expect(readArguments([])).toMatchObject({
    minutes: 5,
    rate: 20,
    live: 200,
    light: 250,
    every: 4,
    lease: 10,
  })
  expect(readArguments([]).seed).toBeGreaterThanOrEqual(0)
  expect(readArguments(['--seed', '0', '--minutes', '0.5', '--cuts', '500'])).toMatchObject({
    seed: 0,
    minutes: 0.5,
    cuts: 500,
    takeover: undefined,
  })
})

test.each(['minutes', 'rate', 'light', 'every', 'lease'])(
  '--%s is refused unless it is greater than 0',
  (name) => {
    for (const text of ['x', '', '0', 'NaN', 'Infinity', '5m'])
      expect(() => readArguments([`--${name}=${text}`])).toThrow(
        `--${name} has to be a number greater than 0, and is '${text}'.`,
      )
    expect(() => readArguments([`--${name}=-1`])).toThrow('greater than 0')
  },
)

test.each([
  ['seed', 0],
  ['live', 1],
  ['disk', 1],
  ['takeover', 1],
  ['cuts', 1],
])('--%s is refused unless it is a whole number of at least %i', (name, least) => {
  for (const text of ['x', '', '1.5', `${least - 1}`])
    expect(() => readArguments([`--${name}=${text}`])).toThrow(
      `--${name} has to be a whole number of at least ${least}, and is '${text}'.`,
    )
})

test('what nobody knows is refused', () => {
  expect(() => readArguments(['--minuets', '5'])).toThrow("Unknown option '--minuets'")
})
