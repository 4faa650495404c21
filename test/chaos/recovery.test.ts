// Which recoveries are judged: those that nothing else disturbed, with somebody there who may judge by a lock.
import { expect, test } from 'vitest'
import type { Tried } from './nemesis.ts'
import { type Circumstances, type Recovery, undisturbed } from './recovery.ts'

const died = 1_000_000
const recovery: Recovery = { way: 'directly', at: died, what: 'run step, attempt 1', ms: 1_000 }
const own: Tried = { kind: 'worker killed', from: died - 10, to: died + 3_000 }
const heir = (from: number, to?: number) => ({
  options: { way: 'directly' as const },
  wellTimes: [{ pid: 1, from: new Date(from), to: to === undefined ? undefined : new Date(to) }],
})
const quiet: Circumstances = { faults: [own], seats: [heir(died - 60_000)], leaseSeconds: 10 }
const isJudged = (circumstances: Partial<Circumstances>) =>
  undisturbed([recovery], { ...quiet, ...circumstances }).length === 1
const beside = (kind: Tried['kind'], to: number) => ({ faults: [own, { kind, from: to - 1_000, to }] })

test('its own fault disturbs a recovery not, another one just before or meanwhile does', () => {
  expect(isJudged({})).toBe(true)
  expect(isJudged(beside('connections reset', died - 3_000))).toBe(true)
  expect(isJudged(beside('connections reset', died - 1_000))).toBe(false)
  expect(isJudged(beside('deployment', died + 1_500))).toBe(false)
})

test('within a lease after a fault of the server nobody judges by locks', () => {
  expect(isJudged(beside('server killed', died - 11_000))).toBe(false)
  expect(isJudged(beside('server killed', died - 13_000))).toBe(true)
})

test('an heir has been connected for a lease, lasts, and is not behind PgBouncer', () => {
  expect(isJudged({ seats: [heir(died - 5_000)] })).toBe(false)
  expect(isJudged({ seats: [heir(died - 60_000, died + 500)] })).toBe(false)
  const pooled = { ...heir(died - 60_000), options: { way: 'by PgBouncer' as const } }
  expect(isJudged({ seats: [pooled] })).toBe(false)
})
