// Arbitrary graphs and scripts for them, made so that what fast-check shrinks is a graph still.
import fc from 'fast-check'
import type { Act, Json, ModelStep, OnError, Script } from './graph-model.ts'

/** A step with what matters to the real one alone. */
export interface TrialStep extends ModelStep {
  readonly tx: boolean
  readonly queue: 'default' | 'second'
  /** Turns of the event loop that its handler takes; without any it gives its output at once. */
  readonly turns: number
}

/** A graph, and a script for each of its runs, which are under way at once. */
export interface Trial {
  readonly graph: readonly TrialStep[]
  readonly scripts: readonly Script[]
}

const stepsMax = 8

const list: fc.Arbitrary<Json> = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 4 })
const noList: fc.Arbitrary<Json> = fc.constantFrom<Json>(null, 7, 'text', false, { list: [1] })
const output = fc.oneof({ weight: 7, arbitrary: list }, { weight: 1, arbitrary: noList })

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 8, arbitrary: output.map((given): Act => ({ kind: 'complete', output: given })) },
  { weight: 1, arbitrary: fc.constant<Act>({ kind: 'unwanted' }) },
  { weight: 3, arbitrary: fc.constant<Act>({ kind: 'retryable' }) },
  { weight: 1, arbitrary: fc.constant<Act>({ kind: 'permanent' }) },
)

const rows = fc.array(fc.array(act, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 })

const onError: fc.Arbitrary<OnError> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<OnError>('fail') },
  { weight: 1, arbitrary: fc.constant<OnError>('skip') },
  { weight: 1, arbitrary: output.map((fallback): OnError => ({ fallback })) },
)

const recipe = fc.record({
  // Places among the steps before it; without any it comes after the one written before, as in a chain.
  after: fc.option(fc.array(fc.nat(stepsMax - 1), { maxLength: 3 }), { freq: 2 }),
  map: fc.option(
    fc.record({
      over: fc.nat(stepsMax - 1),
      concurrency: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
      failAfter: fc.option(
        fc.oneof(fc.nat(3), fc.constantFrom<`${number}%`>('0%', '25%', '33.3%', '50%', '100%')),
        { nil: undefined },
      ),
    }),
    { freq: 2 },
  ),
  attempts: fc.integer({ min: 1, max: 3 }),
  onError,
  ifSkipped: fc.constantFrom('run' as const, 'skip' as const),
  tx: fc.nat(3).map((n) => n === 3),
  queue: fc.nat(3).map((n) => (n === 3 ? ('second' as const) : ('default' as const))),
  turns: fc.nat(3),
})

type Recipe = typeof recipe extends fc.Arbitrary<infer Value> ? Value : never

export const trials: fc.Arbitrary<Trial> = fc
  .record({
    recipes: fc.array(recipe, { minLength: 1, maxLength: stepsMax }),
    scripts: fc.array(fc.array(rows, { maxLength: stepsMax }), { minLength: 1, maxLength: 3 }),
  })
  .map(({ recipes, scripts }) => ({
    graph: graphOf(recipes),
    scripts: scripts.map((script) => Object.fromEntries(script.map((acts, n) => [nameOf(n), acts]))),
  }))

const nameOf = (place: number): string => `s${place}`

function graphOf(recipes: readonly Recipe[]): TrialStep[] {
  const graph = recipes.map((step, place) => stepOf(step, place))
  const sources = new Set(graph.map(({ over }) => over))
  return graph.map((step) => (sources.has(step.name) ? { ...step, onError: listed(step.onError) } : step))
}

function stepOf({ map, after, ...step }: Recipe, place: number): TrialStep {
  const places = after ?? (place === 0 ? [] : [place - 1])
  const needs = place === 0 ? [] : [...new Set(places.map((n) => nameOf(n % place)))]
  const name = nameOf(place)
  if (map === null || place === 0)
    return { name, ...step, after: needs, ifSkipped: needs.length === 0 ? 'run' : step.ifSkipped }
  const over = nameOf(map.over % place)
  return { name, ...step, ...map, over, after: [...new Set([...needs, over])], tx: false }
}

/** What takes the place of a list that a map goes over must be one: anything else is refused when the pipeline is written. */
function listed(given: OnError): OnError {
  return typeof given === 'string' || Array.isArray(given.fallback) ? given : { fallback: [given.fallback] }
}
