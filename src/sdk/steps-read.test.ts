// Tests of the question whether a handler reads the outputs of other steps.
import { expect, test } from 'vitest'
import { readsSteps } from './steps-read.ts'

type Context = { steps: { a: number }; input: { state: string; steps: number }; item: number }

test.each<[string, (...args: never) => unknown]>([
  ['takes nothing', () => 1],
  [
    'takes nothing, as a function',
    function nothing() {
      return 1
    },
  ],
  ['picks other names', ({ item }: Context) => item],
  ['picks other names, later', async ({ item, input }: Context) => [item, input]],
  ['renames what it picks', ({ item: one }: Context) => one],
  ['picks from what it picks', ({ input: { state } }: Context) => state],
  [
    'is a function that picks other names',
    function pick({ item }: Context) {
      return item
    },
  ],
  [
    'is a method that picks other names',
    {
      handle({ item }: Context) {
        return item
      },
    }.handle,
  ],
  [
    'is an async method',
    {
      async handle({ item }: Context) {
        return item
      },
    }.handle,
  ],
])('a handler that %s needs no outputs', (_, handler) => {
  expect(readsSteps(handler)).toBe(false)
})

const passOn =
  (handler: (context: Context) => unknown) =>
  (...all: [Context]) =>
    handler(...all)

test.each<[string, (...args: never) => unknown]>([
  ['picks steps', ({ steps }: Context) => steps.a],
  ['renames steps', ({ steps: outputs }: Context) => outputs.a],
  ['takes the whole context', (context: Context) => context.item],
  ['takes it without parentheses', Function('return context => context.steps')() as () => unknown],
  ['picks the rest', ({ item, ...rest }: Context) => [item, rest]],
  ['picks a computed name', ({ ['steps' as const]: outputs }: Context) => outputs],
  ['has a default that could read anything', ({ item = 1 }: Context) => item],
  [
    'picks it under an escaped name',
    Function(String.raw`return ({ st\u0065ps }) => steps`)() as () => unknown,
  ],
  [
    'reads its arguments',
    function () {
      return (arguments as unknown as [Context])[0].steps
    },
  ],
  [
    'evaluates text',
    Function('return function () { return eval("argu" + "ments")[0].steps }')() as () => unknown,
  ],
  ['is bound, so that its source is hidden', ((context: Context) => context.steps).bind(null)],
  ['is wrapped', passOn(({ item }) => item)],
  [
    'has a comment where the names stand',
    Function('return ({ item /* } */, steps }) => steps')() as () => unknown,
  ],
  ['happens to pick a deeper steps', ({ input: { steps } }: Context) => steps],
])('a handler that %s gets them', (_, handler) => {
  expect(readsSteps(handler)).toBe(true)
})
