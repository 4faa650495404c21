// Arbitrary graphs with undo steps, onFailure and onSuccess, whose handlers fail and cancel: what follows the outcome is what the model says.
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findBrokenInvariants } from '../checker.ts'
import { createTestDatabase, type TestDatabase } from '../database.ts'
import { isLong } from '../faults/effects.ts'
import { type EndingTrial, endingTrials } from './ending-arbitrary.ts'
import { endingDisagreements, type EndingRules, endingRules } from './ending-verdict.ts'
import { forecastRun, type StepForecast } from './graph-model.ts'
import { runTrial } from './graph-trial.ts'

/** A failure prints both; with them in the environment the same graphs come again. */
const seed = Number(process.env['MILLRACE_SEED'] ?? 20_261)
const path = process.env['MILLRACE_PATH']

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

const agreesWith = (by: EndingRules, arbitrary = endingTrials) =>
  fc.asyncProperty(arbitrary, async (trial) => {
    const observed = await runTrial(database, trial)
    const faults = observed.map((run, script) => endingDisagreements(trial, script, run, by))
    expect(faults.flatMap((said, script) => said.map((one) => `${script}: ${one}`)).join('; ')).toBe('')
  })

test(
  'what was completed is undone in reverse, each tried again, before onFailure; onSuccess is the last; a cancel stops all or undoes first',
  async () => {
    await fc.assert(agreesWith(endingRules), {
      seed,
      numRuns: isLong ? 3_000 : 40,
      // Ends the search, and the shrinking, in time to print seed and path.
      interruptAfterTimeLimit: isLong ? 3_500_000 : 150_000,
      markInterruptAsFailure: true,
      includeErrorInReport: true,
      ...(path !== undefined && { path }),
    })
    expect(await findBrokenInvariants(database)).toEqual([])
  },
  isLong ? 3_600_000 : 200_000,
)

describe('a model with one rule of endings broken is found out:', () => {
  const broken: ReadonlyArray<readonly [string, Partial<EndingRules>, (trial: EndingTrial) => boolean]> = [
    [
      'what completed first is undone first',
      { isSooner: (left, right) => endingRules.isSooner(right, left) },
      undoes(2, 'completed'),
    ],
    [
      'what undoes has one attempt more',
      { attempts: ({ attempts }) => attempts + 1 },
      undoes(1, 'completed'),
    ],
    [
      'a fallback is undone too',
      { isUndone: ({ outcome }) => outcome === 'completed' },
      undoes(1, 'fallback'),
    ],
  ]
  test.each(broken)(
    '%s',
    async (_, rule, suits) => {
      const property = agreesWith({ ...endingRules, ...rule }, endingTrials.filter(suits))
      const found = await fc.check(property, { seed, numRuns: 300, endOnFailure: true })
      expect(found.failed).toBe(true)
      expect(String(found.errorInstance)).toContain('AssertionError')
    },
    300_000,
  )
})

/** Some run of it fails after so many steps with an undo completed, or took their fallback: among all graphs these are few. */
function undoes(count: number, end: 'completed' | 'fallback') {
  return ({ graph, scripts, undos, cancels }: EndingTrial): boolean =>
    scripts.some((script, run) => {
      if (cancels[run]!.length > 0) return false
      const { steps, causes } = forecastRun(graph, script)
      return causes.some(({ before, step: failed }) => {
        const done = [...before].filter((name) => name !== failed && name in undos)
        return done.filter((name) => endOf(steps.get(name)!) === end).length >= count
      })
    })
}

function endOf({ step, endings }: StepForecast): string | undefined {
  const { outcomes, tried } = endings[0]!
  if (step.over !== undefined || outcomes.at(-1) !== 'completed') return undefined
  return tried < outcomes.length ? 'fallback' : 'completed'
}
