// The model of leases, verified by Debian's Spin where it is installed: every order of faults, not only those that a test provokes.
import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { missingPrograms, type Verdict, verifyModel } from './verify.ts'

const missing = missingPrograms()
if (missing.length > 0)
  process.stdout.write(
    `Left out: the check of the model of leases, because ${missing.join(' and ')} is not installed.\n`,
  )

describe.skipIf(missing.length > 0)('the model of leases', () => {
  const verdicts: Verdict[] = []
  beforeAll(async () => {
    for await (const verdict of verifyModel()) verdicts.push(verdict)
  }, 120_000)

  const verdictOn = (claim: string, without?: string): Verdict | undefined =>
    verdicts.find((verdict) => verdict.claim === claim && verdict.without === without)

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
    const whole = verdicts.filter(({ without }) => without === undefined)
    expect(whole).toHaveLength(4)
    expect(Math.min(...whole.map(({ states }) => states))).toBeGreaterThan(300_000)
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

test('the model stands for SQL functions that exist', () => {
  const [head] = readFileSync(new URL('leases.pml', import.meta.url), 'utf8').split('*/')
  const named = head!.match(/\b[a-z]+_(tasks|task|worker|workers)\b/g) ?? []
  const functions = fileURLToPath(new URL('../../sql/functions', import.meta.url))
  const existing = readdirSync(functions, { recursive: true, encoding: 'utf8' }).map((path) =>
    basename(path, '.sql'),
  )
  expect(new Set(named).size).toBeGreaterThan(10)
  expect(named.filter((name) => !existing.includes(name))).toEqual([])
})
