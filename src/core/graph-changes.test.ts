// What a new version changes, told step by step.
import { expect, test } from 'vitest'
import { type GraphNode, type StepNode } from './graph.ts'
import { graphChanges } from './graph-changes.ts'

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

test('a graph that SQL registered with few options is compared as far as it says them', () => {
  const sparse = { key: [], steps: [{ name: 'a', after: [] }] } as never
  expect(graphChanges(sparse, { key: [], steps: [step('a')] })).toMatchObject([
    { step: 'a', options: expect.arrayContaining(['queue none → "default"']) },
  ])
})
