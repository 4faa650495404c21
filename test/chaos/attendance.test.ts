// Whether a worker that does nothing while its twin works is found, and one that rests for a good reason is not.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../database.ts'
import { absences, callRoll, restsOf, servedSeconds } from './attendance.ts'
import type { SeatOptions } from './fleet.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.close())

const begun = Date.parse('2026-11-21T10:00:00Z')
const at = (seconds: number) => new Date(begun + 1_000 * seconds)
const busy = { from: at(0), to: at(100) }
const who = 'seat 0, directly'

interface Planted {
  readonly pid: number
  readonly starts: readonly number[]
}

/** A worker whose process began tasks at these seconds. */
async function plant({ pid, starts }: Planted): Promise<void> {
  const [worker] = await database.query<{ id: string }>(
    `insert into millrace.worker (id, kind, state, name, host, process_id, slots, lease_seconds, started_at, heartbeat_at, lease_expires_at)
     values (gen_random_uuid(), 'worker', 'running', 'rests', 'here', $1, 1, 10, $2, $2, $2) returning id`,
    [pid, at(-1)],
  )
  await database.query(
    `insert into millrace.attempt (run_id, step, item, attempt, worker_id, outcome, ready_at, started_at, finished_at)
     select gen_random_uuid(), 'only', -1, 1, $1, 'completed', s, s, s from unnest($2::timestamptz[]) s`,
    [worker!.id, starts.map(at)],
  )
}

const seat = (pid: number, from: number, to?: number) => ({
  pid,
  options: { number: 0, way: 'directly' } as Pick<SeatOptions, 'number' | 'way'>,
  wellTimes: [{ pid, from: at(from), to: to === undefined ? undefined : at(to) }],
})

async function rested(
  planted: Planted,
  from: number,
  to?: number,
): Promise<Array<readonly [number, number]>> {
  await plant(planted)
  const rests = await restsOf(database, [seat(planted.pid, from, to)], busy)
  return rests.map((rest) => [(rest.from - begun) / 1_000, (rest.to - begun) / 1_000])
}

test('a worker rests from one task to the next, and to the ends of the time in which it is in order and there is load', async () => {
  expect(await rested({ pid: 1, starts: [20, 20.5, 50] }, 10, 60)).toEqual([
    [10, 20],
    [20.5, 50],
    [50, 60],
  ])
  // While it was not in order, and before and after there was any load, it owes nothing.
  expect(await rested({ pid: 2, starts: [5, 99.5] }, -50)).toEqual([
    [0, 5],
    [5, 99.5],
  ])
  expect(await rested({ pid: 3, starts: [] }, 40, 90)).toEqual([[40, 90]])
  // Who was counted as gone comes back under another name.
  await plant({ pid: 4, starts: [10] })
  expect(await rested({ pid: 4, starts: [20] }, 0, 25)).toEqual([
    [0, 10],
    [10, 20],
    [20, 25],
  ])
})

test('who begins nothing for longer than a lease and a while is told, and what the server was away for is not counted', () => {
  const rest = { who, from: at(10).getTime(), to: at(40).getTime() }
  const away = (kind: 'server killed' | 'worker killed') => [
    { kind, from: at(0).getTime(), to: at(16).getTime() },
  ]
  expect(servedSeconds(rest, away('server killed'))).toBe(24)
  expect(absences([rest], away('server killed'), 10)).toEqual([])
  expect(absences([rest], away('worker killed'), 10)).toEqual([
    'The worker in seat 0, directly, was in order and began no task for 30.0 s from 2026-11-21T10:00:10.000Z, without the faults of the server; 25 s are the most.',
  ])
})

test('the roll names who has begun nothing since, and who has no process', async () => {
  const later = (Date.now() - begun) / 1_000 + 3_600
  await plant({ pid: 11, starts: [later] })
  await plant({ pid: 12, starts: [1] })
  const seats = [seat(11, 0), seat(12, 0), { ...seat(13, 0), pid: undefined }]
  expect(await callRoll(database, seats, 100)).toEqual([
    'The worker in seat 0, directly, began no task within 0.1 s after all was in order again.',
    'The worker in seat 0, directly, began no task within 0.1 s after all was in order again.',
  ])
  expect(await callRoll(database, seats.slice(0, 1), 100)).toEqual([])
})
