// Tests of the builder at run time; what the compiler infers is claimed in pipeline.test-d.ts.
import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { pipeline } from './pipeline.ts'
import { isPipeline } from './pipeline-definition.ts'

const schema = z.object({ state: z.string() })

function sweep() {
  return pipeline('territory-sweep', { input: schema, key: ({ state }) => state })
    .step('search', async () => [{ code: 'TXA' }])
    .map(
      'enrich',
      { over: 'search', retry: { attempts: 5, initial: '2h' }, timeout: '30s' },
      ({ item }) => item.code,
    )
    .step('store', { after: 'enrich', tx: true, queue: 'writes' }, ({ steps }) => ({
      rows: steps.enrich.length,
    }))
    .step('mail', { when: ({ steps }) => steps.store.rows > 0 }, ({ idempotencyKey }) => idempotencyKey)
}

/** As code without types could call it. */
function untyped(value: object): Record<'step' | 'map', (...args: unknown[]) => { graph: unknown }> {
  return value as never
}

test('a pipeline becomes the graph that is stored', () => {
  const usual = {
    queue: 'default',
    tx: false,
    when: false,
    max_attempts: 3,
    backoff: { initial_ms: 30_000, factor: 2, max_ms: 3_600_000, jitter: 'full' },
    timeout_ms: 300_000,
  }
  expect(sweep().graph).toEqual({
    steps: [
      { kind: 'step', name: 'search', after: [], ...usual },
      {
        kind: 'map',
        name: 'enrich',
        over: 'search',
        after: ['search'],
        ...usual,
        max_attempts: 5,
        backoff: { initial_ms: 7_200_000, factor: 2, max_ms: 7_200_000, jitter: 'full' },
        timeout_ms: 30_000,
      },
      { kind: 'step', name: 'store', after: ['enrich'], ...usual, tx: true, queue: 'writes' },
      { kind: 'step', name: 'mail', after: ['store'], ...usual, when: true },
    ],
    key: [['state']],
  })
})

test('JQ-6 three attempts, with means of 30 s doubling, are the default', () => {
  expect(pipeline('p').step('a', () => 1).graph.steps[0]).toMatchObject({
    max_attempts: 3,
    backoff: { initial_ms: 30_000, factor: 2, jitter: 'full' },
  })
})

test('PP-C4, C6 every step has a timeout, also where its author names none', () => {
  expect(pipeline('p').step('a', () => 1).graph.steps[0]?.timeout_ms).toBe(300_000)
})

test('what the pipeline sets holds for its steps, and each step may set otherwise', () => {
  const { steps } = pipeline('p', { queue: 'slow', timeout: '1m', retry: { attempts: 7, max: '10m' } })
    .step('a', () => 1)
    .step('b', { queue: 'fast', timeout: 500, retry: { max: '5m', jitter: 'none' } }, () => 1).graph
  expect(steps[0]).toMatchObject({
    queue: 'slow',
    timeout_ms: 60_000,
    max_attempts: 7,
    backoff: { max_ms: 600_000 },
  })
  expect(steps[1]).toMatchObject({ queue: 'fast', timeout_ms: 500, max_attempts: 7 })
  expect(steps[1]?.backoff).toEqual({ initial_ms: 30_000, factor: 2, max_ms: 300_000, jitter: 'none' })
})

describe('a step waits', () => {
  const base = pipeline('p')
    .step('a', () => ['x'])
    .step('b', () => 1)
  const afterOf = (built: { graph: { steps: readonly { after: readonly string[] }[] } }) =>
    built.graph.steps.at(-1)?.after

  test('for the one written before it', () => {
    expect(afterOf(base.step('c', () => 1))).toEqual(['b'])
    expect(afterOf(base.step('c', { timeout: 1 }, () => 1))).toEqual(['b'])
  })

  test('for those that it names, each once', () => {
    expect(afterOf(base.step('c', { after: 'a' }, () => 1))).toEqual(['a'])
    expect(afterOf(base.step('c', { after: ['b', 'a', 'b'] }, () => 1))).toEqual(['b', 'a'])
  })

  test('for none with an empty list', () => {
    expect(afterOf(base.step('c', { after: [] }, () => 1))).toEqual([])
  })

  test('for its list in any case, if it is a map', () => {
    expect(afterOf(base.map('c', { over: 'a' }, () => 1))).toEqual(['b', 'a'])
    expect(afterOf(base.map('c', { over: 'a', after: [] }, () => 1))).toEqual(['a'])
  })
})

test('each call returns a new pipeline and leaves the one before as it was', () => {
  const first = pipeline('p').step('a', () => 1)
  const second = first.step('b', () => 2)
  expect(first.graph.steps).toHaveLength(1)
  expect(second.graph.steps).toHaveLength(2)
  expect([...first.handlers.keys()]).toEqual(['a'])
  expect(first.digest).not.toBe(second.digest)
})

test('the digest is that of the graph: other handlers leave it, another option changes it', () => {
  expect(sweep().digest).toBe(sweep().digest)
  expect(pipeline('p').step('a', () => 1).digest).toBe(pipeline('p').step('a', () => 2).digest)
  expect(pipeline('p').step('a', () => 1).digest).not.toBe(
    pipeline('p').step('a', { retry: { attempts: 4 } }, () => 1).digest,
  )
})

test('a worker finds handler, condition, schema, and whether outputs are read', () => {
  const output = z.number()
  const handler = () => 1
  const when = () => true
  const { handlers, inputSchema } = pipeline('p', { input: schema })
    .step('a', { when, output }, handler)
    .step('b', ({ steps }) => steps.a)
    .step('c', { when: ({ steps }) => steps.b !== undefined }, () => 1)
  expect(handlers.get('a')).toEqual({
    handler,
    when,
    outputSchema: output,
    readsSteps: false,
    writes: false,
  })
  expect(handlers.get('b')).toMatchObject({ readsSteps: true })
  expect(handlers.get('c')).toMatchObject({ readsSteps: true })
  expect(inputSchema).toBe(schema)
})

test('any Standard Schema is taken as input, and anything else refused', () => {
  for (const input of [schema, v.object({ a: v.string() }), type({ a: 'string' })]) {
    expect(pipeline('p', { input }).inputSchema).toBe(input)
  }
  expect(() => pipeline('p', { input: {} as typeof schema })).toThrow(
    expect.objectContaining({ code: 'pipeline_option_invalid' }),
  )
})

test('a pipeline is known by its brand, also one of another copy of this package', () => {
  expect(isPipeline(sweep())).toBe(true)
  expect(isPipeline({ [Symbol.for('millrace.pipeline')]: true })).toBe(true)
  for (const other of [null, undefined, {}, 'territory-sweep', { graph: sweep().graph }]) {
    expect(isPipeline(other)).toBe(false)
  }
})

describe('a mistake is refused where it is written', () => {
  const base = untyped(pipeline('p').step('a', () => ['x']))

  test.each<[string, string, () => unknown]>([
    ['a name with capitals', 'pipeline_name_invalid', () => pipeline('Sweep')],
    ['no name', 'pipeline_name_invalid', () => pipeline(undefined as unknown as string)],
    [
      'an option of the pipeline that does not exist',
      'pipeline_option_invalid',
      () => pipeline('p', { retires: 1 } as object),
    ],
    [
      'a computed key',
      'key_not_a_path',
      () => pipeline('p', { input: schema, key: ({ state }) => `x${state}` }),
    ],
    ['a pipeline without steps, when its graph is read', 'steps_missing', () => pipeline('p').graph],
    ['a step with a bad name', 'step_name_invalid', () => base.step('A', () => 1)],
    ['two steps of one name', 'step_name_taken', () => base.step('a', () => 1)],
    ['PP-C10 an unknown step', 'step_unknown', () => base.step('b', { after: 'x' }, () => 1)],
    ['a map over a step that is not there', 'step_unknown', () => base.map('b', { over: 'x' }, () => 1)],
    ['a map over nothing', 'map_over_invalid', () => base.map('b', {}, () => 1)],
    ['an option that does not exist', 'step_option_invalid', () => base.step('b', { retires: 1 }, () => 1)],
    ['a transaction for a map', 'step_option_invalid', () => base.map('b', { over: 'a', tx: true }, () => 1)],
    [
      'too many attempts',
      'step_option_invalid',
      () => base.step('b', { retry: { attempts: 1_001 } }, () => 1),
    ],
    ['a duration that is none', 'duration_invalid', () => base.step('b', { timeout: 'soon' }, () => 1)],
    ['a timeout of nothing', 'step_option_invalid', () => base.step('b', { timeout: 0 }, () => 1)],
    ['a queue that is no name', 'step_option_invalid', () => base.step('b', { queue: 'Q' }, () => 1)],
    ['an output that is no schema', 'step_option_invalid', () => base.step('b', { output: String }, () => 1)],
    ['a condition that is no function', 'step_option_invalid', () => base.step('b', { when: true }, () => 1)],
    ['no handler', 'step_option_invalid', () => base.step('b', {})],
    ['no handler at all', 'step_option_invalid', () => base.step('b')],
  ])('%s', (_, code, write) => {
    expect(write).toThrow(expect.objectContaining({ code }))
  })
})

test('an option of a step that is out of its bounds is named as its author wrote it', () => {
  const withOptions = (options: object) => () => pipeline('p').step('a', options, () => 1)
  for (const [options, told] of [
    [{ retry: { attempts: 0 } }, 'has a retry.attempts of 0, where it is a whole number from 1 to 1000.'],
    [{ retry: { factor: 0.5 } }, 'has a retry.factor of 0.5, where it is from 1 to 100.'],
    [{ retry: { initial: '2m', max: '1m' } }, 'has a retry.max of 60000 ms, where it is from 120000 to'],
    [{ retry: { jitter: 'some' } }, "has a retry.jitter of 'some', where it is one of full, none."],
    [{ timeout: 0 }, 'has a timeout of 0 ms, where it is from 1 to'],
  ] as const)
    expect(withOptions(options)).toThrow(`The step 'a' of pipeline 'p' ${told}`)
})
