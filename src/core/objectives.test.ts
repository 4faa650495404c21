// Objectives as they are written and stored, and what is refused of them.
import { expect, test } from 'vitest'
import { checkObjectives, type Objective, objectiveNodes } from './objectives.ts'

const stored = (written: Readonly<Record<string, Objective>>) => {
  const nodes = objectiveNodes('sweep', written)
  checkObjectives('sweep', nodes)
  return nodes
}

test('FO-15 an objective is a range over a metric, or over a number of the output', () => {
  expect(stored({ confidence: { min: 0.8 }, rows: { min: 1, max: 100, output: 'report.rows' } })).toEqual({
    confidence: { min: 0.8 },
    rows: { min: 1, max: 100, output: ['report', 'rows'] },
  })
})

test.each<[string, unknown]>([
  ['no range', { m: {} }],
  ['a range that is none', { m: { min: 2, max: 1 } }],
  ['a bound that is no number', { m: { min: '1' } }],
  ['a bound without end', { m: { max: Number.POSITIVE_INFINITY } }],
  ['a name that no metric can have', { 'my-metric': { min: 1 } }],
  ['an option that nobody knows', { m: { min: 1, of: 'sum' } }],
  ['a path that is none', { m: { min: 1, output: 'a..b' } }],
  ['an output that is no text', { m: { min: 1, output: 3 } }],
  ['a list', [{ min: 1 }]],
  ['more than 20', Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`m${n}`, { min: n }]))],
])('objectives with %s are refused', (_, written) => {
  expect(() => stored(written as Readonly<Record<string, Objective>>)).toThrow(
    expect.objectContaining({ code: 'pipeline_option_invalid' }),
  )
})
