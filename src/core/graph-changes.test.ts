// What a new version changes, told step by step.
import { expect, test } from 'vitest'
import type { Graph, GraphNode, StepNode } from './graph.ts'
import { graphChanges } from './graph-changes.ts'
import type { StoredGraph } from './stored-graph.ts'

const step = (name: string, more: Partial<StepNode> = {}): GraphNode => ({
  kind: 'step',
  name,
  after: [],
  queue: 'default',
  tx: false,
  when: false,
  max_attempts: 3,
  backoff: { initial_ms: 30_000, factor: 2, max_ms: 3_600_000, jitter: 'full' },
  timeout_ms: 300_000,
  ...more,
})

test('steps that came, went and changed are told, with the options that differ', () => {
  const before = { key: [], steps: [step('a'), step('b', { after: ['a'] }), step('c', { after: ['b'] })] }
  const after = {
    key: [['state']],
    steps: [
      step('a', {
        timeout_ms: 60_000,
        backoff: { initial_ms: 0, factor: 2, max_ms: 3_600_000, jitter: 'full' },
      }),
      step('d', { after: ['a'] }),
      step('c', { after: ['d', 'a'] }),
    ],
  }
  expect(graphChanges(before, after)).toEqual([
    { step: null, change: 'changed', options: ['key [] → [["state"]]'] },
    { step: 'a', change: 'changed', options: ['timeout_ms 300000 → 60000', 'initial_ms 30000 → 0'] },
    { step: 'd', change: 'added', options: [] },
    { step: 'c', change: 'changed', options: ['after ["b"] → ["a","d"]'] },
    { step: 'b', change: 'removed', options: [] },
  ])
})

test('the order of `after` and of the steps is no change', () => {
  const one = { key: [], steps: [step('a'), step('b'), step('c', { after: ['a', 'b'] })] }
  const other = { key: [], steps: [step('b'), step('a'), step('c', { after: ['b', 'a'] })] }
  expect(graphChanges(one, other)).toEqual([])
})

test('what changes of the pipeline as a whole stands first, and its encryption before all else', () => {
  const before: Graph = { key: [], encrypt: { clear: [['tenant']] }, ageing_ms: 60_000, steps: [step('a')] }
  const after: Graph = {
    key: [],
    objectives: { rows: { min: 1 } },
    pause_after: 5,
    retry_allowance: { share: 0.1, least: 10, per_ms: 60_000 },
    steps: [step('a'), step('b')],
  }
  expect(graphChanges(before, after)).toEqual([
    {
      step: null,
      change: 'changed',
      options: [
        'encrypt {"clear":[["tenant"]]} → none',
        'ageing_ms 60000 → none',
        'objectives none → {"rows":{"min":1}}',
        'pause_after none → 5',
        'retry_allowance none → {"least":10,"per_ms":60000,"share":0.1}',
      ],
    },
    { step: 'b', change: 'added', options: [] },
  ])
})

test('what a graph that SQL registered leaves out is no change where the other says the same', () => {
  const sparse: StoredGraph = {
    steps: [{ name: 'a' }, { name: 'b', kind: 'map', over: 'a', backoff: { factor: 3 } }],
  }
  const backoff = { initial_ms: 30_000, factor: 3, max_ms: 3_600_000, jitter: 'full' } as const
  const map = { ...step('b', { after: ['a'], backoff }), kind: 'map', over: 'a' } as GraphNode
  expect(graphChanges(sparse, { key: [], steps: [step('a'), map] })).toEqual([])
  expect(graphChanges(sparse, { key: [['state']], steps: [step('a', { queue: 'slow' }), map] })).toEqual([
    { step: null, change: 'changed', options: ['key [] → [["state"]]'] },
    { step: 'a', change: 'changed', options: ['queue "default" → "slow"'] },
  ])
})
