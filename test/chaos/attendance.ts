// Whether each worker that is in order still begins tasks: its twin would do all of its work, and nobody would miss it.
import { setTimeout as pause } from 'node:timers/promises'
import type { Sql } from '../protocol.ts'
import type { Seat, WellTime } from './fleet.ts'
import type { Tried } from './nemesis.ts'
import { type FaultKind, serverFaults } from './plan.ts'

type Attending = Pick<Seat, 'wellTimes'> & { readonly options: Pick<Seat['options'], 'number' | 'way'> }

/** A time in which a worker that was in order began no task. */
export interface Rest {
  readonly who: string
  readonly from: number
  readonly to: number
}

/** For how long the load gave all of them something to do. */
export interface Busy {
  readonly from: Date
  readonly to: Date
}

/** Shorter ones are not looked for. */
const restSecondsMin = 1
/** Beyond a lease: as long as others may need to take back what it is waiting for. */
const restSeconds = 15
const lookMs = 20
const ofServer: ReadonlySet<string> = new Set<FaultKind>(serverFaults)

/** Of each worker, between two beginnings, or between one and the end of a time in which it was in order. */
export async function restsOf(sql: Sql, seats: readonly Attending[], busy: Busy): Promise<Rest[]> {
  const times = seats.flatMap(({ options: { number, way }, wellTimes }) =>
    wellTimes
      .map((time) => ({ who: `seat ${number}, ${way}`, ...within(time, busy) }))
      .filter(({ from, to }) => to > from),
  )
  const rows = await sql.query<{ nth: number; from: Date; to: Date }>(
    `with well as (
       select nth::int, pid, since, until
         from unnest($1::int[], $2::timestamptz[], $3::timestamptz[]) with ordinality p(pid, since, until, nth)),
     moment as (
       select nth, since as at from well
       union all select nth, until from well
       union all
       select well.nth, a.started_at from well join millrace.worker w on w.process_id = well.pid
         join millrace.attempt a on a.worker_id = w.id and a.started_at between well.since and well.until)
     select nth, before as from, at as to
       from (select nth, at, lag(at) over (partition by nth order by at) as before from moment) rest
      where at - before > make_interval(secs => $4)`,
    [times.map(({ pid }) => pid), times.map(({ from }) => from), times.map(({ to }) => to), restSecondsMin],
  )
  return rows.map(({ nth, from, to }) => ({
    who: times[nth - 1]!.who,
    from: from.getTime(),
    to: to.getTime(),
  }))
}

function within({ pid, from, to }: WellTime, busy: Busy): { pid: number; from: Date; to: Date } {
  const ends = to === undefined || to > busy.to ? busy.to : to
  return { pid, from: from > busy.from ? from : busy.from, to: ends }
}

/** Seconds of it in which no fault of the server kept everybody from work. */
export function servedSeconds({ from, to }: Rest, tried: readonly Tried[]): number {
  const away = tried
    .filter(({ kind }) => ofServer.has(kind))
    .map((fault) => Math.max(0, Math.min(to, fault.to) - Math.max(from, fault.from)))
  return (to - from - away.reduce((sum, ms) => sum + ms, 0)) / 1_000
}

/** Sentences; none where all of them worked. */
export function absences(rests: readonly Rest[], tried: readonly Tried[], leaseSeconds: number): string[] {
  const most = leaseSeconds + restSeconds
  return rests.flatMap((rest) => {
    const seconds = servedSeconds(rest, tried)
    return seconds <= most
      ? []
      : [
          `The worker in ${rest.who}, was in order and began no task for ${seconds.toFixed(1)} s from ${new Date(rest.from).toISOString()}, without the faults of the server; ${most} s are the most.`,
        ]
  })
}

type Called = Pick<Seat, 'pid'> & Pick<Attending, 'options'>

/** Under load: each of them is seen to hold a task that it began after this. Answers with sentences on those that are not. */
export async function callRoll(sql: Sql, seats: readonly Called[], withinMs: number): Promise<string[]> {
  const [now] = await sql.query<{ now: Date }>('select clock_timestamp() as now')
  const seen = new Set<number>()
  const missing = () => seats.filter(({ pid }) => pid === undefined || !seen.has(pid))
  const until = performance.now() + withinMs
  for (; missing().length > 0 && performance.now() < until; await pause(lookMs))
    for (const pid of await holdersSince(sql, now!.now)) seen.add(pid)
  // Who holds each of its tasks for a moment only may never have been met with one.
  if (missing().length > 0) for (const pid of await beginnersSince(sql, now!.now)) seen.add(pid)
  return missing().map(
    ({ options: { number, way } }) =>
      `The worker in seat ${number}, ${way}, began no task within ${withinMs / 1_000} s after all was in order again.`,
  )
}

async function holdersSince(sql: Sql, at: Date): Promise<number[]> {
  const rows = await sql.query<{ pid: number }>(
    'select distinct w.process_id as pid from millrace.task t join millrace.worker w on w.id = t.worker_id where t.claimed_at > $1',
    [at],
  )
  return rows.map(({ pid }) => pid)
}

async function beginnersSince(sql: Sql, at: Date): Promise<number[]> {
  const rows = await sql.query<{ pid: number }>(
    `select process_id as pid from millrace.worker w
      where gone_at is null and exists (select from millrace.attempt a where a.worker_id = w.id and a.started_at > $1)`,
    [at],
  )
  return rows.map(({ pid }) => pid)
}
