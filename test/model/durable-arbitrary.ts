// Random programs of durable operations, as data: a pipeline of the trial reads them from its input.
import fc from 'fast-check'

/** One operation, or several that are open together. Names are those that the handler gives: each is used once. */
export type Operation =
  | { readonly kind: 'run' | 'caught' | 'now' | 'random'; readonly name: string }
  | { readonly kind: 'sleep'; readonly name: string; readonly ms: number }
  | { readonly kind: 'signal'; readonly name: string; readonly early: boolean }
  | { readonly kind: 'call'; readonly name: string; readonly number: number }
  | { readonly kind: 'callMany'; readonly name: string; readonly numbers: readonly number[] }
  /** Each part goes on by itself; all are waited for. */
  | { readonly kind: 'all'; readonly name: string; readonly parts: readonly (readonly Operation[])[] }
  /** The first one wins; the others stay open. */
  | { readonly kind: 'any'; readonly name: string; readonly parts: readonly Operation[] }

export interface DurableTrial {
  readonly program: readonly Operation[]
  /** How often the attempt fails just before it asks for an operation, by its name. */
  readonly failures: Readonly<Record<string, number>>
  /** What happens when the handler ends the next time, one after the other. */
  readonly faults: readonly ('crash' | 'lease' | 'gone')[]
}

type Shape =
  | { kind: 'run' | 'caught' | 'now' | 'random' }
  | { kind: 'sleep'; ms: number }
  | { kind: 'signal'; early: boolean }
  | { kind: 'call'; number: number }
  | { kind: 'callMany'; numbers: number[] }
  | { kind: 'all'; parts: Shape[][] }
  | { kind: 'any'; parts: Shape[] }

const number = fc.integer({ min: 0, max: 99 })
const run = fc.constant<Shape>({ kind: 'run' })
const sleep = fc.record({ kind: fc.constant('sleep' as const), ms: fc.integer({ min: 1, max: 7_200_000 }) })
const signal = fc.record({ kind: fc.constant('signal' as const), early: fc.boolean() })
const call = fc.record({ kind: fc.constant('call' as const), number })
const single: fc.Arbitrary<Shape> = fc.oneof(
  { weight: 4, arbitrary: run },
  { weight: 1, arbitrary: fc.constantFrom<Shape>({ kind: 'caught' }, { kind: 'now' }, { kind: 'random' }) },
  { weight: 2, arbitrary: sleep },
  { weight: 2, arbitrary: signal },
  { weight: 2, arbitrary: call },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('callMany' as const),
      numbers: fc.array(number, { maxLength: 4 }),
    }),
  },
)
const shape: fc.Arbitrary<Shape> = fc.oneof(
  { weight: 6, arbitrary: single },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('all' as const),
      parts: fc.array(fc.array(single, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('any' as const),
      parts: fc.array(fc.oneof(run, sleep, signal, call), { minLength: 2, maxLength: 3 }),
    }),
  },
)

/** Those whose names the handler gives; `now` and `random` are counted. */
const isNamed = ({ kind }: Shape): boolean => kind !== 'now' && kind !== 'random'

function named(shapes: readonly Shape[], next: { number: number }): Operation[] {
  return shapes.map((each): Operation => {
    const name = `${each.kind}-${next.number++}`
    if (each.kind === 'all') return { kind: 'all', name, parts: each.parts.map((part) => named(part, next)) }
    if (each.kind === 'any') return { kind: 'any', name, parts: named(each.parts, next) }
    return { ...each, name }
  })
}

/** All operations of a program, those inside others among them. */
export function operationsOf(program: readonly Operation[]): Operation[] {
  return program.flatMap((operation) =>
    operation.kind === 'all'
      ? [operation, ...operation.parts.flatMap(operationsOf)]
      : operation.kind === 'any'
        ? [operation, ...operation.parts]
        : [operation],
  )
}

export const durableTrial: fc.Arbitrary<DurableTrial> = fc
  .record({
    // Counted names mean another operation where parts that go on by themselves come in another order.
    shapes: fc
      .array(shape, { minLength: 1, maxLength: 6 })
      .map((shapes) =>
        shapes.map((each) =>
          each.kind === 'all' ? { ...each, parts: each.parts.map((part) => part.filter(isNamed)) } : each,
        ),
      ),
    failing: fc.array(fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 2 })), { maxLength: 3 }),
    // A database that is away is a fault by itself: what the engine reads beside another one would find it away as well.
    faults: fc.oneof(
      {
        weight: 3,
        arbitrary: fc.array(fc.constantFrom('crash' as const, 'lease' as const), { maxLength: 2 }),
      },
      { weight: 1, arbitrary: fc.constant(['gone' as const]) },
    ),
  })
  .map(({ shapes, failing, faults }) => {
    const program = named(shapes, { number: 0 })
    const names = operationsOf(program).map(({ name }) => name)
    const failures = Object.fromEntries(
      failing.map(([place, times]) => [names[place % names.length]!, times]),
    )
    return { program, failures, faults }
  })
