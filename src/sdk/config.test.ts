// Tests of defineConfig(): what it lets through, and what it refuses.
import { describe, expect, test } from 'vitest'
import { type Config, defineConfig } from './config.ts'
import { pipeline } from './pipeline.ts'

const sweep = pipeline('sweep').step('a', () => 1)

test('a sound configuration comes back as it is', () => {
  const config = {
    database: 'postgres://localhost/x',
    pipelines: [sweep],
    worker: { slots: 5, queues: ['default'] },
  }
  expect(defineConfig(config)).toBe(config)
  expect(defineConfig({ database: undefined, pipelines: [] })).toEqual({ pipelines: [] })
})

describe('PP-C13 a configuration is refused at start, and the message names the setting', () => {
  test.each<[string, unknown, RegExp]>([
    ['that is nothing', undefined, /the configuration: it is no object of settings/],
    ['without pipelines', {}, /pipelines: it is no list of pipelines/],
    [
      'with something else than a pipeline',
      { pipelines: [sweep, {}] },
      /pipelines\[1\]: it was not made by pipeline\(\)/,
    ],
    ['with two pipelines of one name', { pipelines: [sweep, sweep] }, /two of them are named 'sweep'/],
    ['with an unknown setting', { pipelines: [], databse: 'x' }, /databse: there is no such setting/],
    [
      'with an unknown setting of the worker',
      { pipelines: [], worker: { slot: 1 } },
      /worker\.slot: there is no such setting/,
    ],
    ['with half a slot', { pipelines: [], worker: { slots: 1.5 } }, /worker\.slots: it is no whole number/],
    ['with a number for a text', { pipelines: [], database: 5432 }, /database: it is no text/],
    ['with a worker that is none', { pipelines: [], worker: true }, /worker: it is no object of settings/],
  ])('%s', (_, config, message) => {
    expect(() => defineConfig(config as Config)).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringMatching(message) as string }),
    )
  })

  test('with a pipeline that has no step', () => {
    expect(() => defineConfig({ pipelines: [pipeline('empty')] })).toThrow(
      expect.objectContaining({ code: 'steps_missing' }),
    )
  })
})
