// What a monitor asks of a database: who works, what lies ready and for how long, what is late, and whether it takes writes.
import type { Caller } from './call.ts'
import { readCleaning } from './cleaning.ts'
import { readClock } from './diagnosis.ts'

export interface HealthRow {
  /** Workers whose lease counts. */
  readonly workers: number
  /** Tasks that nobody holds yet, by queue; so many as are ready and as are held. */
  readonly queues: ReadonlyArray<{
    readonly queue: string
    readonly ready: number
    readonly held: number
    readonly oldest_seconds: number
  }>
  /** Tasks that wait for a time, a signal, a limit or a person. */
  readonly waiting: number
  /** Failed runs that nobody has decided on. */
  readonly dead_letters: number
  /** Firings without an end behind their deadline, and schedules whose time came a minute ago and which nobody has evaluated. */
  readonly overdue_firings: number
  /** How many multixacts lie between the oldest of this database and the next. */
  readonly multixact_age: number
  /** How many transactions have begun since the oldest row version that somebody's transaction, slot or standby keeps. */
  readonly oldest_kept: number
  /** How full the server's queue of notifications is, from 0 to 1. */
  readonly notify_share: number
}

const healthStatement = {
  name: 'millrace_read_health',
  // What is ready and has no room under a limit waits (see full_lanes).
  text: `with left_lane as materialized (
      select unnest(millrace.full_lanes()) as handler
    ), counted as materialized (
      select h.queue, count(*) filter (where t.worker_id is null and l.handler is null)::int as ready, count(*) filter (where t.worker_id is not null)::int as held,
          min(t.ready_at) filter (where t.worker_id is null and l.handler is null) as ready_since,
          count(*) filter (where t.worker_id is null and l.handler is not null)::int as waiting
        from millrace.task t join millrace.handler h on h.id = t.handler left join left_lane l on l.handler = h.id group by h.queue
    )
    select
      (select count(*)::int from millrace.worker w where w.state <> 'gone' and w.kind = 'worker' and w.lease_expires_at > c.at) as workers,
      (select coalesce(jsonb_agg(to_jsonb(q) order by q.queue), '[]') from (
        select n.queue, n.ready, n.held, coalesce(greatest(0, extract(epoch from c.at - n.ready_since)), 0)::float8 as oldest_seconds from counted n) q) as queues,
      (select count(*)::int from millrace.waiting_task) + (select coalesce(sum(n.waiting), 0)::int from counted n) as waiting,
      (select count(*)::int from millrace.dead_letter) as dead_letters,
      (select count(*)::int from millrace.firing f where f.state in ('queued', 'started') and f.deadline_at <= c.at)
        + (select count(*)::int from millrace.firing f
            where f.verify_at is not null and f.state = 'completed' and f.closed_at is null and f.deadline_at <= c.at)
        -- Of one that is tried again each second, its slot says how long it is due.
        + (select count(*)::int from millrace.schedule s
            where s.due_at <= c.at + interval '2 seconds'
              and coalesce(s.next_slot_at + make_interval(secs => s.offset_ms / 1000.0), s.due_at) <= c.at - interval '1 minute') as overdue_firings
    from (select $1::timestamptz as at) c`,
}

export async function readHealth(caller: Caller): Promise<HealthRow> {
  const [row] = await caller.call<Omit<HealthRow, 'multixact_age' | 'oldest_kept' | 'notify_share'>>(
    healthStatement,
    [await readClock(caller)],
  )
  const { holders, multixact_age, notify_share } = await readCleaning(caller)
  const oldest_kept = Math.max(0, ...holders.map(({ transactions }) => transactions))
  return { ...row!, multixact_age, oldest_kept, notify_share }
}

/** Whether the server takes writes: neither a standby nor switched to reading. */
export async function takesWrites(caller: Caller): Promise<boolean> {
  const rows = await caller.call<{ writes: boolean }>(
    {
      name: 'millrace_takes_writes',
      text: `select not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off' as writes`,
    },
    [],
  )
  return rows[0]!.writes
}
