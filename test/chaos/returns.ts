// How long it takes after a restart of the server until the workers are back at work.
import { setTimeout as pause } from 'node:timers/promises'
import type { Sql } from '../protocol.ts'
import type { Seat } from './fleet.ts'
import type { ServerFault } from './plan.ts'

/** Longer than anybody may need: what takes longer is told as this. */
export const backMsMax = 20_000
/** What takes longer is told, also where a worker's own fault comes between. */
const lateMs = 5_000

/** How long it took until all workers that are well were back at work, from the readiness of a server that had ended. */
export interface Return {
  readonly ms: number
  readonly after: ServerFault
  readonly at: Date
  /** How the workers reach the server that were not back a look before the last. */
  readonly last: readonly Seat['options']['way'][]
}

type Returning = Pick<Seat, 'pid' | 'wellSince'> & { readonly options: Pick<Seat['options'], 'way'> }

export class Returns {
  readonly seen: Return[] = []
  readonly #sql: Sql
  readonly #seats: readonly Returning[]

  constructor(sql: Sql, seats: readonly Returning[]) {
    this.#sql = sql
    this.#seats = seats
  }

  /** From now on, just after a real restart: each worker that was well has been heard, and one of them has begun a task. */
  async measure(after: ServerFault): Promise<void> {
    const ready = performance.now()
    const isWell = ({ wellSince }: Returning) => (wellSince ?? Infinity) < ready
    const wanted = this.#seats.filter(isWell).map((seat) => ({ seat, pid: seat.pid }))
    // With nobody to wait for, nothing is measured.
    if (wanted.length === 0) return
    const [now] = await this.#sql.query<{ now: Date }>('select clock_timestamp() as now')
    let last: Return['last'] = []
    let ms = 0
    for (; ms < backMsMax; ms = performance.now() - ready, await pause(20)) {
      const rows = await this.#heardSince(now!.now)
      const away = wanted.filter(({ pid }) => !rows.some((row) => row.pid === pid))
      if (away.length === 0 && rows.some(({ works }) => works)) break
      // When it would have been back nobody knows any more.
      if (ms < lateMs && away.some(({ seat, pid }) => seat.pid !== pid || !isWell(seat))) return
      last = away.map(({ seat }) => seat.options.way)
    }
    this.seen.push({ ms: performance.now() - ready, after, at: now!.now, last })
  }

  #heardSince(at: Date): Promise<Array<{ pid: number; works: boolean }>> {
    return this.#sql.query<{ pid: number; works: boolean }>(
      `select w.process_id as pid, exists (select from millrace.task t where t.worker_id = w.id and t.claimed_at > $1) as works
         from millrace.worker w where w.gone_at is null and w.heartbeat_at > $1`,
      [at],
    )
  }
}
