// What authors say of a step's end: kept in the graph, and refused where it means nothing.
import { describe, expect, test } from 'vitest'
import { pipeline } from './pipeline.ts'

const base = pipeline('p').step('list', () => ['x'])

test('a graph that says nothing of its end stays the same version', () => {
  const said = pipeline('p').step('list', { onError: 'fail', ifSkipped: 'run', after: [] }, () => ['x'])
  expect(said.digest).toBe(base.digest)
  expect(base.graph.steps[0]).not.toHaveProperty('on_error')
})

test('what is said stands in the graph in its JSON form', () => {
  const { steps } = base
    .step('soft', { onError: 'skip', ifSkipped: 'skip' }, () => 1)
    .step('dated', { onError: { fallback: { at: new Date(0) } } }, () => ({ at: new Date() }))
    .map('each', { over: 'list', concurrency: 3, failAfter: '2.5%' }, () => 1).graph
  expect(steps.slice(1)).toMatchObject([
    { name: 'soft', on_error: 'skip', if_skipped: 'skip' },
    { name: 'dated', on_error: { fallback: { at: '1970-01-01T00:00:00.000Z' } } },
    { name: 'each', concurrency: 3, fail_after: '2.5%' },
  ])
})

describe('is refused, naming the step:', () => {
  const refused: ReadonlyArray<readonly [string, () => unknown]> = [
    ['an onError that is none', () => base.step('s', { onError: 'ignore' as 'skip' }, () => 1)],
    ['an ifSkipped that is none', () => base.step('s', { ifSkipped: 'no' as 'skip' }, () => 1)],
    ['an ifSkipped where nothing is needed', () => base.step('s', { after: [], ifSkipped: 'skip' }, () => 1)],
    ['a concurrency of nothing', () => base.map('s', { over: 'list', concurrency: 0 }, () => 1)],
    ['a concurrency of a half', () => base.map('s', { over: 'list', concurrency: 0.5 }, () => 1)],
    ['a failAfter below zero', () => base.map('s', { over: 'list', failAfter: -1 }, () => 1)],
    ['a share beyond all', () => base.map('s', { over: 'list', failAfter: '101%' }, () => 1)],
    ['a share that is none', () => base.map('s', { over: 'list', failAfter: 'most' as '5%' }, () => 1)],
    [
      'a fallback that a map goes over and that is no list',
      () =>
        pipeline('p')
          .step('s', { onError: { fallback: 'none' as unknown as string[] } }, () => ['x'])
          .map('m', { over: 's' }, () => 1).graph,
    ],
  ]
  test.each(refused)('%s', (_, write) => {
    expect(write).toThrow(
      expect.objectContaining({
        code: 'step_option_invalid',
        fields: expect.objectContaining({ step: 's' }),
      }),
    )
  })

  test('a fallback that has no JSON form', () => {
    expect(() => base.step('s', { onError: { fallback: { big: 10n } } }, () => 1)).toThrow(
      expect.objectContaining({ code: 'json_invalid' }),
    )
  })
})
