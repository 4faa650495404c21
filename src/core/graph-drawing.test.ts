// Graphs as text.
import { expect, test } from 'vitest'
import type { Graph } from './graph.ts'
import { drawGraph } from './graph-drawing.ts'

const shared = { queue: 'default', tx: false, when: false, max_attempts: 3, timeout_ms: 1_000 }
const backoff = { initial_ms: 1, factor: 2, max_ms: 10, jitter: 'full' } as const
const node = (name: string, after: string[], more: object = {}) =>
  ({ kind: 'step', name, after, ...shared, backoff, ...more }) as Graph['steps'][number]

test('each step stands under the last of those that it waits for, with the others named', () => {
  const graph: Graph = {
    key: [],
    steps: [
      node('search', []),
      node('enrich', ['search'], { kind: 'map', over: 'search', queue: 'geocoder' }),
      node('score', ['search']),
      node('store', ['score', 'enrich'], { tx: true }),
      node('mail', ['store'], { when: true }),
      node('audit', []),
    ],
  }
  expect(drawGraph(graph)).toEqual([
    'search',
    '├─ enrich  (map over search; queue geocoder)',
    '└─ score',
    '   └─ store  (in one transaction; also after enrich)',
    '      └─ mail  (on a condition)',
    'audit',
  ])
})

test('a graph that SQL registered is drawn with what it leaves out', () => {
  const steps = [
    { name: 'fetch' },
    { name: 'each', kind: 'map', over: 'fetch' } as const,
    { name: 'store', after: ['each'] },
  ]
  expect(drawGraph({ steps })).toEqual(['fetch', '└─ each  (map over fetch)', '   └─ store'])
})
