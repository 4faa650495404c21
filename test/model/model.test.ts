// The models of leases and of parking, verified by Debian's Spin where it is installed: every order of faults, not only those that a test provokes.
import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { missingPrograms, type Model, models, type Verdict, verifyModels } from './verify.ts'

const missing = missingPrograms()
if (missing.length > 0)
  process.stdout.write(
    `Left out: the check of the models, because ${missing.join(' and ')} is not installed.\n`,
  )

function verdictsOf(model: Model) {
  const verdicts: Verdict[] = []
  beforeAll(async () => {
    for await (const verdict of verifyModels([], [model])) verdicts.push(verdict)
  }, 240_000)
  const verdictOn = (claim: string, without?: string): Verdict | undefined =>
    verdicts.find((verdict) => verdict.claim === claim && verdict.without === without)
  const statesLeast = (): number =>
    Math.min(...verdicts.filter(({ without }) => without === undefined).map(({ states }) => states))
  return { verdicts, verdictOn, statesLeast }
}

describe.skipIf(missing.length > 0)('the model of leases', () => {
  const { verdicts, verdictOn, statesLeast } = verdictsOf('leases')

  test('A3 at most one commit an attempt, and the latest attempt alone, whoever hangs, dies, is swept or comes back', () => {
    expect(verdictOn('one_commit')).toMatchObject({ holds: true })
    expect(verdictOn('latest_commits')).toMatchObject({ holds: true })
  })

  test('A10 failures never exceed the maximum, where the task is dead, and count what failed or was reclaimed', () => {
    expect(verdictOn('failures_bounded')).toMatchObject({ holds: true })
  })

  test('PP-C7 every task ends once no more faults happen, though one worker may stay away for ever', () => {
    expect(verdictOn('every_task_ends')).toMatchObject({ holds: true })
  })

  test('the search is exhaustive over what it should be: hundreds of thousands of states', () => {
    expect(verdicts.filter(({ without }) => without === undefined)).toHaveLength(4)
    expect(statesLeast()).toBeGreaterThan(300_000)
  })

  test('A3 without the fence an attempt commits twice, and a zombie commits over the work of its heir', () => {
    expect(verdictOn('one_commit', 'NO_FENCE')).toMatchObject({ holds: false })
    expect(verdictOn('latest_commits', 'NO_FENCE')).toMatchObject({ holds: false })
    const { story } = verdictOn('zombies_refused', 'NO_FENCE')!
    expect(story.at(-1)).toMatch(/attempt 1 of task \d completes, reported by worker \d/)
    expect(story.join('\n')).toMatch(/attempt 1 of task \d is reclaimed/)
    expect(story.join('\n')).toMatch(/claims task \d: attempt 2/)
  })

  test('A12 without the entry lock a claim may commit after its worker was swept, and its task never ends', () => {
    expect(verdictOn('every_task_ends', 'NO_ENTRY_LOCK')).toMatchObject({ holds: false })
  })
})

describe.skipIf(missing.length > 0)('the model of parking', () => {
  const { verdicts, verdictOn, statesLeast } = verdictsOf('parking')

  test('no wake-up is lost: a step is parked only while what it waits for has not come, whoever parks, sends, times out or is swept', () => {
    expect(verdictOn('no_wake_up_lost')).toMatchObject({ holds: true })
    expect(verdictOn('every_step_wakes')).toMatchObject({ holds: true })
  })

  test('A3 E11 a step that wakes is in one place, each of its waits ends once, and each wake gives a new attempt', () => {
    expect(verdictOn('woken_once')).toMatchObject({ holds: true })
    expect(verdictOn('latest_parks')).toMatchObject({ holds: true })
  })

  test('the search is exhaustive over what it should be: a million states', () => {
    expect(verdicts.filter(({ without }) => without === undefined)).toHaveLength(4)
    expect(statesLeast()).toBeGreaterThan(900_000)
  })

  test('without the lock on the name a signal that comes while a step parks is kept, and the step sleeps on', () => {
    const { holds, story } = verdictOn('no_wake_up_lost', 'NO_NAME_LOCK')!
    expect(holds).toBe(false)
    expect(story.join('\n')).toMatch(/a signal comes, and is kept\nattempt 1 parks/)
  })

  test('without the lock on its row a step is woken twice, and runs twice', () => {
    const { holds, story } = verdictOn('woken_once', 'NO_ROW_LOCK')!
    expect(holds).toBe(false)
    expect(story.join('\n')).toMatch(/the step wakes\na signal ends wait 1, and wakes the step/)
  })

  test('A3 without a new attempt at each wake a parking that is sent again parks the run that came after it', () => {
    expect(verdictOn('latest_parks', 'NO_RAISE')).toMatchObject({ holds: false })
    const { holds, story } = verdictOn('stale_refused', 'NO_RAISE')!
    expect(holds).toBe(false)
    expect(story.join('\n')).toMatch(/parks attempt 1 again/)
  })
})

test.each(models)('the model of %s stands for SQL functions that exist', (model) => {
  const [head] = readFileSync(new URL(`${model}.pml`, import.meta.url), 'utf8').split('*/')
  const named = head!.match(/\b[a-z]+_(tasks|task|worker|workers|waits|waiting|signals|signal)\b/g) ?? []
  const functions = fileURLToPath(new URL('../../sql/functions', import.meta.url))
  const existing = readdirSync(functions, { recursive: true, encoding: 'utf8' }).map((path) =>
    basename(path, '.sql'),
  )
  expect(new Set(named).size).toBeGreaterThan(10)
  expect(named.filter((name) => !existing.includes(name))).toEqual([])
})
