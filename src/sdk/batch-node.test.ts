// What .batch() writes into the graph, and what it refuses, each in a sentence that names the step.
import { expect, test } from 'vitest'
import { drawGraph } from '../core/graph-drawing.ts'
import { limit } from './limit.ts'
import { pipeline } from './pipeline.ts'

const each = ({ items }: { readonly items: readonly unknown[] }) => items.map(() => 1)

test('the graph keeps how many, after how long, and the key as paths; one without a batch is as it was', () => {
  const { graph } = pipeline('mails')
    .step('list', () => [1])
    .batch('mail', { size: 100, within: '5s', key: ({ input, tenant }) => [tenant, input.account!.id] }, each)
    .batch('each', { over: 'list', size: 10, within: 250, key: '$item.host', concurrency: 10 }, each)
  expect(graph.steps.map((step) => [step.name, step.kind, 'batch' in step ? step.batch : null])).toEqual([
    ['list', 'step', null],
    ['mail', 'step', { size: 100, within_ms: 5_000, key: [['$tenant'], ['account', 'id']] }],
    ['each', 'map', { size: 10, within_ms: 250, key: [['$item', 'host']] }],
  ])
  expect(drawGraph(graph)).toEqual([
    'list',
    '└─ mail  (up to 100 at once by $tenant, account.id, within 5.0 s)',
    '   └─ each  (map over list; up to 10 at once by $item.host, within 250 ms; also after list)',
  ])
})

const refusals: Array<[string, Record<string, unknown>, RegExp]> = [
  ['no size', { within: '5s' }, /step 'mail' of pipeline 'p' is a batch without a size/],
  ['no time', { size: 5 }, /step 'mail' of pipeline 'p' is a batch without a within/],
  ['a size of 0', { size: 0, within: '5s' }, /has a size of 0, where it is a whole number from 1 to 1,000/],
  ['a size of 1,001', { size: 1_001, within: '5s' }, /has a size of 1001/],
  ['half a size', { size: 1.5, within: '5s' }, /has a size of 1.5/],
  ['no time at all', { size: 5, within: 0 }, /has a within of 0 ms, where it is a time from 1 ms to 1 day/],
  ['two days', { size: 5, within: '2d' }, /has a within of 172800000 ms/],
  ['a key of nothing', { size: 5, within: '5s', key: ({ input }: never) => input }, /key/],
  ['a key of items', { size: 5, within: '5s', key: '$item.a' }, /\$item.a, where the step is no map/],
  ['a key elsewhere', { size: 5, within: '5s', key: '$run.id' }, /leads neither into the input nor into/],
  ['a transaction', { size: 5, within: '5s', tx: true }, /an option 'tx', which a batch does not know/],
  ['a cache', { size: 5, within: '5s', cache: {} }, /an option 'cache', which a batch does not know/],
  ['a limit', { size: 5, within: '5s', limit: [] }, /an option 'limit', which a batch does not know/],
  [
    'too little concurrency',
    { over: 'list', size: 5, within: '5s', concurrency: 4 },
    /has a concurrency of 4, which is less than its batch of 5 needs/,
  ],
]

test.each(refusals)('a batch with %s is refused', (_, options, sentence) => {
  const listed = pipeline('p').step('list', () => [1])
  expect(() => listed.batch('mail', options as never, each as never)).toThrow(sentence)
})

test('a rule of the whole pipeline is refused where a step of it comes in batches', () => {
  const one = limit('one', { concurrency: 1 })
  const { graph: fine } = pipeline('fine', { limits: [one] }).step('a', () => 1)
  expect(fine.steps).toHaveLength(1)
  const limited = pipeline('limited', { limits: [one] }).batch('mail', { size: 2, within: '1s' }, each)
  expect(() => limited.graph).toThrow(
    "Limit 'one' would hold for step 'mail' of 'limited', whose tasks come in batches, and a limit counts them one by one",
  )
})

test('a batch of an encrypted pipeline goes by what is in the clear, or is refused', () => {
  const options = { size: 2, within: '1s', key: 'account' } as const
  const hidden = pipeline('hidden', { encrypt: true }).batch('mail', options, each)
  expect(() => hidden.graph).toThrow(
    'has a batch key of account, which is encrypted: name it in encrypt.clear',
  )
})
