// How long it took until what a dead worker held had begun elsewhere.
import type { Sql } from '../protocol.ts'
import type { Death, Seat } from './fleet.ts'
import type { Tried } from './nemesis.ts'
import { type FaultKind, serverFaults } from './plan.ts'

export interface Recovery {
  readonly way: Death['way']
  readonly at: number
  /** The attempt that was lost. */
  readonly what: string
  /** From the death until the next attempt at one of its tasks began. */
  readonly ms: number
}

/** Of each task that a worker held when it was ended. */
export async function recoveriesOf(sql: Sql, deaths: readonly Death[]): Promise<Recovery[]> {
  const rows = await sql.query<{ death: number; what: string; ms: number }>(
    `with dead as (
       select d.death::int, d.at, w.id
         from unnest($1::int[], $2::timestamptz[]) with ordinality d(pid, at, death)
        cross join lateral (
          select id from millrace.worker where process_id = d.pid and started_at < d.at order by started_at desc limit 1) w)
     select dead.death, a.run_id || ' ' || a.step || ', attempt ' || a.attempt as what, (1000 * extract(epoch from later.started_at - dead.at))::float8 as ms
       from dead join millrace.attempt a on a.worker_id = dead.id and a.outcome = 'reclaimed'
       join millrace.attempt later on later.run_id = a.run_id and later.step = a.step and later.item = a.item and later.attempt = a.attempt + 1
      where a.finished_at > dead.at`,
    [deaths.map(({ pid }) => pid), deaths.map(({ at }) => at)],
  )
  return rows.map(({ death, what, ms }) => {
    const { way, at } = deaths[death - 1]!
    return { way, at: at.getTime(), what, ms }
  })
}

const restMs = 2_000
const deadly: ReadonlySet<string> = new Set<FaultKind>([
  'worker killed',
  'worker out of memory',
  'worker killed at the end of a handler',
])

const ofServer: ReadonlySet<string> = new Set<FaultKind>(serverFaults)

export interface Circumstances {
  readonly faults: readonly Tried[]
  readonly seats: ReadonlyArray<Pick<Seat, 'wellTimes'> & { readonly options: Pick<Seat['options'], 'way'> }>
  readonly leaseSeconds: number
}

/**
 * Without those whose worker died, or whose task was recovered, while something else was wrong; or while nobody was there who may judge by a lock: that
 * is who has been connected for a lease, to a server that has not fallen meanwhile.
 */
export function undisturbed(
  recoveries: readonly Recovery[],
  { faults, seats, leaseSeconds }: Circumstances,
): Recovery[] {
  const leaseMs = 1_000 * leaseSeconds
  const restsFor = (kind: FaultKind) => restMs + (ofServer.has(kind) ? leaseMs : 0)
  const heirs = seats
    .filter(({ options: { way } }) => way !== 'by PgBouncer')
    .flatMap(({ wellTimes }) => wellTimes)
  return recoveries.filter(({ at, ms }) => {
    const others = faults.filter(({ kind, from, to }) => !(deadly.has(kind) && from <= at && at <= to))
    return (
      others.every(({ kind, from, to }) => to + restsFor(kind) < at || from > at + ms) &&
      heirs.some(
        ({ from, to }) =>
          from.getTime() + leaseMs + restMs < at && (to === undefined || to.getTime() > at + ms),
      )
    )
  })
}

/** In milliseconds. */
export interface Figure {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly most: number
}

/** Undefined of no values. */
export function figureOf(values: readonly number[]): Figure | undefined {
  if (values.length === 0) return undefined
  return {
    count: values.length,
    p50: percentile(values, 0.5)!,
    p99: percentile(values, 0.99)!,
    most: Math.max(...values),
  }
}

/** Undefined of no values. */
function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}
