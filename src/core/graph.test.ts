// Tests of the graph: what it refuses, and what it says of its steps.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ancestorsOf,
  checkGraph,
  dependentsOf,
  type Graph,
  type GraphNode,
  graphStepsMax,
  lastSteps,
  type StepNode,
  topologicalOrder,
} from './graph.ts'

function step(name: string, after: string[] = [], options: Partial<Omit<StepNode, 'kind'>> = {}): StepNode {
  return {
    kind: 'step',
    name,
    after,
    queue: 'default',
    tx: false,
    when: false,
    max_attempts: 3,
    backoff: { initial_ms: 30_000, factor: 2, max_ms: 3_600_000, jitter: 'full' },
    timeout_ms: 300_000,
    ...options,
  }
}

function graph(...steps: GraphNode[]): Graph {
  return { steps, key: [] }
}

function codeOf(made: Graph): string | undefined {
  try {
    checkGraph('sweep', made)
    return undefined
  } catch (error) {
    return (error as { code: string }).code
  }
}

/** With so many paths in the clear. */
function sealed(paths: number): Graph {
  return { ...graph(step('a')), encrypt: { clear: Array.from({ length: paths }, (_, n) => [`p${n}`]) } }
}

const diamond = graph(step('a'), step('b', ['a']), step('c', ['a']), step('d', ['b', 'c']), step('alone'))

/** Steps s0, s1, …, each after some of those before it. */
const graphs = fc
  .array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 30 })
  .map((lists) =>
    graph(
      ...lists.map((list, index) =>
        step(`s${index}`, index === 0 ? [] : list.map((before) => `s${before % index}`)),
      ),
    ),
  )

describe('a graph is refused', () => {
  test.each<[string, Graph, string]>([
    ['without a step', graph(), 'steps_missing'],
    [
      'with too many',
      graph(...Array.from({ length: graphStepsMax + 1 }, (_, n) => step(`s${n}`))),
      'steps_too_many',
    ],
    ['with two steps of one name', graph(step('a'), step('a')), 'step_name_taken'],
    [
      'with a map over a step that is not there',
      graph({ ...step('m', []), kind: 'map', over: 'x' }),
      'map_over_invalid',
    ],
    [
      'with a map that does not wait for its list',
      graph(step('a'), { ...step('m', []), kind: 'map', over: 'a' }),
      'map_over_invalid',
    ],
    ['with steps in a circle', graph(step('a', ['c']), step('b', ['a']), step('c', ['b'])), 'step_cycle'],
    ['with a step after itself', graph(step('a', ['a'])), 'step_cycle'],
    ['with no attempt', graph(step('a', [], { max_attempts: 0 })), 'step_option_invalid'],
    ['with 1,001 attempts', graph(step('a', [], { max_attempts: 1_001 })), 'step_option_invalid'],
    ['with half an attempt', graph(step('a', [], { max_attempts: 1.5 })), 'step_option_invalid'],
    ['without any time', graph(step('a', [], { timeout_ms: 0 })), 'step_option_invalid'],
    [
      'with a timeout no timer can hold',
      graph(step('a', [], { timeout_ms: 2 ** 31 })),
      'step_option_invalid',
    ],
    ['with a queue that is no name', graph(step('a', [], { queue: 'Fast lane' })), 'step_option_invalid'],
    [
      'with a factor below 1',
      graph(step('a', [], { backoff: { initial_ms: 1, factor: 0.5, max_ms: 2, jitter: 'none' } })),
      'step_option_invalid',
    ],
    [
      'with a first delay above the longest',
      graph(step('a', [], { backoff: { initial_ms: 3, factor: 1, max_ms: 2, jitter: 'none' } })),
      'step_option_invalid',
    ],
    [
      'with a jitter nobody knows',
      graph(step('a', [], { backoff: { initial_ms: 1, factor: 1, max_ms: 2, jitter: 'some' as 'none' } })),
      'step_option_invalid',
    ],
    ['with an empty key path', { steps: [step('a')], key: [[]] }, 'key_not_a_path'],
    [
      'with too many key paths',
      { steps: [step('a')], key: Array.from({ length: 11 }, () => ['a']) },
      'key_not_a_path',
    ],
    ['with too many paths in the clear', sealed(21), 'pipeline_option_invalid'],
    [
      'with a path in the clear that is none',
      { ...sealed(1), encrypt: { clear: [[]] } },
      'pipeline_option_invalid',
    ],
  ])('%s', (_, made, code) => {
    expect(codeOf(made)).toBe(code)
  })

  test.each(['', 'A', '1a', 'a_b', 'a b', 'é', '"; drop', 'x'.repeat(64)])(
    'H7 with a step named %j',
    (name) => {
      expect(codeOf(graph(step(name)))).toBe('step_name_invalid')
    },
  )
})

test('a run key of ten paths leaves room for ten others in the clear, and what is too many is told of encrypt', () => {
  expect(codeOf({ ...sealed(20), key: sealed(10).encrypt!.clear })).toBeUndefined()
  expect(() => checkGraph('sweep', sealed(21))).toThrow(
    "The encrypt of pipeline 'sweep' leaves 21 paths into the input in the clear, with those of the run key: at most 20 are allowed,",
  )
})

test('PP-C10 an unknown step is an error that names it', () => {
  expect(() => checkGraph('sweep', graph(step('a'), step('b', ['serach'])))).toThrow(
    "The step 'b' of pipeline 'sweep' comes after 'serach', which is none of its steps: a.",
  )
})

test('the error of a circle names its steps, and none of those that only wait for it', () => {
  const circle = graph(step('free'), step('late', ['b']), step('a', ['b', 'free']), step('b', ['a']))
  expect(() => checkGraph('sweep', circle)).toThrow(/in a circle: (a → b → a|b → a → b)\.$/)
})

test('a sound graph passes', () => {
  expect(codeOf({ ...diamond, key: [['customer', 'id']] })).toBeUndefined()
  expect(codeOf(graph(step('a'), { ...step('m', ['a']), kind: 'map', over: 'a' }))).toBeUndefined()
})

test('in topological order each step stands after all that it waits for', () => {
  fc.assert(
    fc.property(graphs, (made) => {
      const shuffled = { ...made, steps: [...made.steps].reverse() }
      const order = topologicalOrder('sweep', shuffled)
      expect(new Set(order).size).toBe(made.steps.length)
      for (const { name, after } of made.steps) {
        for (const before of after) expect(order.indexOf(before)).toBeLessThan(order.indexOf(name))
      }
    }),
  )
})

test('dependents are those that wait directly, ancestors all that come before', () => {
  expect(dependentsOf(diamond).get('a')).toEqual(['b', 'c'])
  expect(dependentsOf(diamond).get('d')).toEqual([])
  expect(ancestorsOf(diamond, 'd')).toEqual(['a', 'b', 'c'])
  expect(ancestorsOf(diamond, 'a')).toEqual([])
})

test('ancestors are the parents and their ancestors', () => {
  fc.assert(
    fc.property(graphs, (made) => {
      for (const { name, after } of made.steps) {
        const expected = new Set([...after, ...after.flatMap((parent) => ancestorsOf(made, parent))])
        expect(new Set(ancestorsOf(made, name))).toEqual(expected)
      }
    }),
  )
})

test('the last steps are those that nobody waits for', () => {
  expect(lastSteps(diamond)).toEqual(['d', 'alone'])
})
