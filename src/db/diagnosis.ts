// What a doctor asks of a database: the server and its limits, the partitions ahead, the workers, and tasks that nobody serves.
import type { Caller } from './call.ts'

export interface ServerFacts {
  readonly version: string
  readonly version_number: number
  readonly now: Date
  readonly is_standby: boolean
  /** What ordinary logins may open together. */
  readonly connections_max: number
  readonly connections_open: number
  /** Of those open, the ones of Millrace's own processes. */
  readonly connections_ours: number
}

export async function readServer(caller: Caller): Promise<ServerFacts> {
  const rows = await caller.call<ServerFacts>(
    {
      name: 'millrace_read_server',
      text: `select current_setting('server_version') as version, current_setting('server_version_num')::int as version_number,
          clock_timestamp() as now, pg_is_in_recovery() as is_standby,
          current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as connections_max,
          a.open as connections_open, a.ours as connections_ours
        from (select count(*)::int as open, count(*) filter (where application_name like 'millrace%')::int as ours
                from pg_stat_activity where backend_type = 'client backend') a`,
    },
    [],
  )
  return rows[0]!
}

/** What Millrace takes for now; tests move it. */
export async function readClock(caller: Caller): Promise<Date> {
  const rows = await caller.call<{ now: Date }>(
    { name: 'millrace_read_clock', text: 'select millrace.now() as now' },
    [],
  )
  return rows[0]!.now
}

export interface HistoryFacts {
  readonly weeks_ahead: number
  /** Null where nobody said clearly how long. */
  readonly retention_days: number | null
}

/** How many weeks after this one have their partition of runs already. */
export async function readHistory(caller: Caller, now: Date): Promise<HistoryFacts> {
  const rows = await caller.call<HistoryFacts>(
    {
      name: 'millrace_read_history',
      text: `select (select count(*)::int from pg_inherits i join pg_class c on c.oid = i.inhrelid
            where i.inhparent = 'millrace.run'::regclass and c.relname ~ '^run_[0-9]{4}w[0-9]{2}$'
              and to_date(right(c.relname, 7), 'IYYY"w"IW') > $1::timestamptz at time zone 'UTC') as weeks_ahead,
          millrace.setting_number('retention_days')::int as retention_days`,
    },
    [now],
  )
  return rows[0]!
}

export interface WorkerRow {
  readonly id: string
  readonly name: string
  readonly host: string
  readonly process_id: number | null
  readonly state: string
  readonly slots: number
  readonly queues: readonly string[]
  readonly has_lock: boolean
  readonly silent_seconds: number
}

/** The workers that are not gone, at most 1,000. */
export function listWorkers(caller: Caller, now: Date): Promise<WorkerRow[]> {
  return caller.call<WorkerRow>(
    {
      name: 'millrace_list_workers',
      text: `select w.id, w.name, w.host, w.process_id, w.state, w.slots, w.queues, w.locked as has_lock,
          greatest(0, extract(epoch from $1::timestamptz - w.heartbeat_at))::float8 as silent_seconds
        from millrace.worker w where w.kind = 'worker' and w.state <> 'gone' order by w.name, w.id limit 1000`,
    },
    [now],
  )
}

export interface UnservedRow {
  readonly pipeline: string
  readonly version: number
  readonly queue: string
  readonly tasks: number
  readonly ready_since: Date
}

/** Ready tasks of pipelines that aren't paused, which no live worker can claim. */
export function listUnserved(caller: Caller, now: Date): Promise<UnservedRow[]> {
  return caller.call<UnservedRow>(
    {
      name: 'millrace_list_unserved',
      text: `select h.slug as pipeline, h.version, h.queue, count(*)::int as tasks, min(t.ready_at) as ready_since
        from millrace.task t join millrace.handler h on h.id = t.handler join millrace.pipeline p on p.slug = h.slug
       where t.worker_id is null and p.paused_at is null
         and not exists (
           select from millrace.worker w
            where w.kind = 'worker' and w.state in ('starting', 'idle', 'running') and w.ordered_state is null
              and w.lease_expires_at > $1 and h.id = any (w.handlers))
       group by h.slug, h.version, h.queue order by ready_since limit 100`,
    },
    [now],
  )
}
