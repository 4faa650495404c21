// The steps that Millrace brings, as they stand in the graph, and what is refused when they are written.
import { expect, test } from 'vitest'
import { drawGraph } from '../core/graph-drawing.ts'
import { pipeline } from './pipeline.ts'

const child = pipeline('child').step('work', () => 1)
const endpoint = { url: 'https://example.com/x', secret: 'SECRET', timeout: '2h' } as const

test('each is a step of its kind, with what it is about; a timeout for an answer is not that of an attempt', () => {
  const { graph, handlers } = pipeline('kinds', { timeout: '10m' })
    .sleep('nap', '3d')
    .sleep('until', { until: ({ steps }) => String(steps.nap) })
    .signal('paid', { timeout: '30d' })
    .signal('any', { signal: { any: ['a', 'b'] } })
    .approval('ask', { timeout: '1m', queue: 'people' })
    .call('call', { pipeline: child, input: () => null })
    .http('post', endpoint)
    .http('quick', { ...endpoint, timeout: '5s' })
    .sql('add', { function: 'app.add_total' })
  expect(
    graph.steps.map(({ name, kind, tx, timeout_ms, ...node }) => [
      name,
      kind,
      'target' in node ? node.target : null,
      tx,
      timeout_ms,
    ]),
  ).toEqual([
    ['nap', 'sleep', '3d', false, 600_000],
    ['until', 'sleep', null, false, 600_000],
    ['paid', 'signal', null, false, 600_000],
    ['any', 'signal', 'a, b', false, 600_000],
    ['ask', 'approval', null, false, 60_000],
    ['call', 'call', 'child', false, 600_000],
    ['post', 'http', null, false, 600_000],
    ['quick', 'http', null, false, 5_000],
    ['add', 'sql', 'app.add_total', true, 600_000],
  ])
  expect([...handlers].filter(([, { readsSteps }]) => readsSteps).map(([name]) => name)).toEqual(['until'])
  expect(drawGraph(graph).slice(-4)).toEqual([
    '            └─ call  (call child)',
    '               └─ post  (http)',
    '                  └─ quick  (http)',
    '                     └─ add  (sql app.add_total)',
  ])
})

test.each([
  ['a sleep without a time', () => child.sleep('s', {} as never), 'for'],
  ['a signal without a name', () => child.signal('s', { signal: { any: [] } }), 'signal'],
  ['a call of nothing', () => child.call('s', { input: () => 1 } as never), 'pipeline'],
  ['a call without an input', () => child.call('s', { pipeline: child } as never), 'input'],
  ['a request to no address', () => child.http('s', { ...endpoint, url: 'nowhere' }), 'url'],
  [
    'a request to an address with a password',
    () => child.http('s', { ...endpoint, url: 'https://me:hunter2@example.com' }),
    'url',
  ],
  ['a request that is not signed', () => child.http('s', { ...endpoint, secret: '' }), 'secret'],
  [
    'a request without an end',
    () => child.http('s', { ...endpoint, timeout: undefined } as never),
    'timeout',
  ],
  ['a function without a schema', () => child.sql('s', { function: 'add' }), 'function'],
  ['a function that is a statement', () => child.sql('s', { function: 'a.b(); drop table x' }), 'function'],
  ['an option that is not known', () => child.approval('s', { rolls: ['a'] } as never), 'rolls'],
])('%s is refused where it is written', (_, write, option) => {
  expect(write).toThrow(
    expect.objectContaining({ code: 'step_option_invalid', fields: expect.objectContaining({ option }) }),
  )
})

test.each([
  ['a sleep', () => child.sleep('s', '3 parsecs' as never)],
  ['a signal', () => child.signal('s', { timeout: 'soon' as never })],
  ['a request', () => child.http('s', { ...endpoint, timeout: -1 })],
])('the duration of %s is checked where it is written', (_, write) => {
  expect(write).toThrow(expect.objectContaining({ code: 'duration_invalid' }))
})
