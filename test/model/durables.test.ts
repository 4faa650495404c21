// Random programs of durable operations, whose attempts fail, whose workers die and whose database goes away, held against a model.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TestEngine } from '../../src/testing/engine.ts'
import { createEngine } from '../engine.ts'
import { type DurableTrial, durableTrial } from './durable-arbitrary.ts'
import { durablePipelines, runDurableTrial } from './durable-trial.ts'
import { durableFaults } from './durable-verdict.ts'

const seed = Number(process.env['MILLRACE_SEED'] ?? 20_262)

async function holds(engine: TestEngine, trial: DurableTrial): Promise<void> {
  const faults = durableFaults(trial, await runDurableTrial(engine, trial))
  if (faults.length > 0) throw new Error(faults.join('\n'))
}

test('PP-C7 each durable operation is done and recorded once, and a program gives what its model gives, whatever ends its attempts', async () => {
  await using engine = await createEngine(durablePipelines, { patienceMs: 30_000 })
  await fc.assert(
    fc.asyncProperty(durableTrial, (trial) => holds(engine, trial)),
    { numRuns: 15, seed, endOnFailure: true },
  )
}, 240_000)

const source = (name: string) =>
  readFileSync(new URL(`../../sql/functions/checkpoints/${name}.sql`, import.meta.url), 'utf8')

test.each([
  ['forgets what functions gave', 'order by c.id, r.n;', "and c.kind <> 'run' order by c.id, r.n;"],
  ['mixes up who came first', 'order by c.id, r.n;', 'order by c.id desc, r.n;'],
])(
  'a database that %s is found out',
  async (_, from, to) => {
    await using engine = await createEngine(durablePipelines, { patienceMs: 30_000 })
    const planted = source('read_checkpoints').replace(from, to)
    expect(planted).toContain(to)
    await engine.query(planted)
    const told = await fc.check(
      // No other worker comes: it would see what was planted.
      fc.asyncProperty(durableTrial, (trial) => holds(engine, { ...trial, faults: [] })),
      { numRuns: 30, seed, endOnFailure: true },
    )
    expect(told.failed).toBe(true)
    expect(String(told.errorInstance)).toMatch(
      /is executed again after|gave .* first, and .* later|the run is/,
    )
  },
  240_000,
)
