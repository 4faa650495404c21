// Arbitrary graphs whose steps complete, fail, are tried again and skipped: a real worker brings each to the end that the model foretells.
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findBrokenInvariants } from '../checker.ts'
import { createTestDatabase, type TestDatabase } from '../database.ts'
import { isLong } from '../faults/effects.ts'
import { trials } from './graph-arbitrary.ts'
import { forecastRun, type ModelStep, type Rules, rules } from './graph-model.ts'
import { runTrial } from './graph-trial.ts'
import { disagreements } from './graph-verdict.ts'

/** A failure prints both; with them in the environment the same graphs come again. */
const seed = Number(process.env['MILLRACE_SEED'] ?? 20_261)
const path = process.env['MILLRACE_PATH']

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

const agreesWith = (by: Rules, on: () => TestDatabase) =>
  fc.asyncProperty(trials, async (trial) => {
    const observed = await runTrial(on(), trial)
    expect(
      observed.map((run, script) => disagreements(forecastRun(trial.graph, trial.scripts[script]!, by), run)),
    ).toEqual(trial.scripts.map(() => []))
  })

test(
  'every run ends as the model says: its state and output, the outcomes of all attempts, what handlers found, and their order',
  async () => {
    await fc.assert(
      agreesWith(rules, () => database),
      {
        seed,
        numRuns: isLong ? 3_000 : 30,
        // Ends the search, and the shrinking, in time to print seed and path.
        interruptAfterTimeLimit: isLong ? 3_500_000 : 150_000,
        markInterruptAsFailure: true,
        includeErrorInReport: true,
        ...(path !== undefined && { path }),
      },
    )
    expect(await findBrokenInvariants(database)).toEqual([])
  },
  isLong ? 3_600_000 : 200_000,
)

describe('a model with one rule broken is found out:', () => {
  const broken: ReadonlyArray<readonly [string, Partial<Rules>]> = [
    ['a step has one attempt more', { attempts: ({ attempts }) => attempts + 1 }],
    ['a map tolerates one item more', { tolerated: (step, items) => rules.tolerated(step, items) + 1 }],
    ['a step never goes with what it needs', { goesWithSkipped: () => false }],
    ['a step goes with the first that is skipped', { goesWithSkipped: goesWithAny }],
  ]
  test.each(broken)(
    '%s',
    async (_, rule) => {
      const property = agreesWith({ ...rules, ...rule }, () => database)
      const found = await fc.check(property, { seed, numRuns: 300, endOnFailure: true })
      expect(found.failed).toBe(true)
      expect(String(found.errorInstance)).toContain('AssertionError')
    },
    300_000,
  )

  test('a join ignores its last parent, shrunk to a join and two parents, and its path leads back there', async () => {
    const property = agreesWith({ ...rules, needs: withoutLastParent }, () => database)
    const found = await fc.check(property, { seed, numRuns: 300 })
    expect(String(found.errorInstance)).toContain('AssertionError')
    const [{ graph }] = found.counterexample!
    expect(graph).toHaveLength(3)
    expect(graph[2]!.after).toHaveLength(2)
    const again = await fc.check(property, { seed, path: found.counterexamplePath!, endOnFailure: true })
    expect(again.counterexample).toEqual(found.counterexample)
  }, 300_000)
})

function goesWithAny({ ifSkipped }: ModelStep, skipped: readonly boolean[]): boolean {
  return ifSkipped === 'skip' && skipped.some(Boolean)
}

function withoutLastParent({ after }: ModelStep): readonly string[] {
  return after.length > 1 ? after.slice(0, -1) : after
}
