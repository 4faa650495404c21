// Chaos: a minute of all faults at once with each of two seeds, and the same plan for the same seed. `npm run chaos` plays for as long as it is told to.
import { afterEach, expect, test } from 'vitest'
import { recordFigure } from '../faults/effects.ts'
import { type Program, startTypeScript } from '../program.ts'
import { planFaults, serverFaults, workerFaults } from './plan.ts'
import { expectedOutput, laterRecipe, randomRecipe } from './recipes.ts'
import { faultsOf, type Report } from './report.ts'

const seeds = [20_261_121, 7]
const options = { ms: 600_000, everyMs: 4_000, seats: 4, without: new Set<never>() }

const programs: Program[] = []
afterEach(async () => {
  for (const { child, ended } of programs.splice(0)) {
    // It ends all that it has started, and so may not be killed.
    child.kill('SIGTERM')
    await ended
  }
})

test.each(seeds)(
  'the invariants I1 to I11 hold after a minute in which four workers, their server and their networks met faults of all kinds by the plan of seed %i: nothing is lost, done twice or stuck',
  async (seed) => {
    const args = ['--seed', `${seed}`, '--minutes', '1', '--rate', '12', '--live', '40', '--lease', '3']
    const program = startTypeScript('test/chaos/main.ts', [...args, '--every', '2.5', '--json'])
    programs.push(program)
    const code = await program.ended
    // All of it: a message of the assertion would be cut off before what matters.
    if (code !== 0) process.stderr.write(program.printed())
    expect(code).toBe(0)
    const report = JSON.parse(program.output()) as Report
    expect(faultsOf(report)).toEqual([])
    const faults = Object.values(report.faults).reduce((sum, times) => sum + times, 0)
    expect(faults).toBeGreaterThan(0)
    recordFigure(
      'chaos',
      `seed ${seed}: ${faults} faults, ${report.runs} runs, ${report.reclaimed} attempts reclaimed, nothing lost, done twice or stuck`,
    )
  },
  420_000,
)

test('the same seed gives the same plan, with each kind once before any comes again, and without what can not be had the rest of it', () => {
  const plan = planFaults({ ...options, seed: 3 })
  expect(planFaults({ ...options, seed: 3 })).toEqual(plan)
  expect(planFaults({ ...options, seed: 4 })).not.toEqual(plan)
  const first = (faults: ReadonlyArray<{ kind: string }>, count: number) =>
    new Set(faults.slice(0, count).map(({ kind }) => kind))
  expect(first(plan.workers, workerFaults.length)).toEqual(new Set(workerFaults))
  expect(first(plan.server, serverFaults.length)).toEqual(new Set(serverFaults))
  const less = planFaults({ ...options, seed: 3, without: new Set(['disk full'] as const) })
  expect(less.server).toEqual(plan.server.filter(({ kind }) => kind !== 'disk full'))
  expect(less.workers).toEqual(plan.workers)
})

test('a recipe of a seed is the same each time, and gives the same with the step that a deployment adds', () => {
  for (let seed = 0; seed < 200; seed++) {
    const recipe = randomRecipe('any', seed)
    expect(randomRecipe('any', seed)).toEqual(recipe)
    expect(laterRecipe(recipe)).not.toEqual(recipe)
    for (const n of [0, 7, 999])
      expect(expectedOutput(laterRecipe(recipe), n)).toBe(expectedOutput(recipe, n))
  }
})
