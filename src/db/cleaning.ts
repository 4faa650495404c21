// What keeps the server from cleaning up: transactions, slots and standbys that still see old rows, listeners that don't read, multixacts.
import type { Caller } from './call.ts'

export interface CleaningHolder {
  readonly kind: 'transaction' | 'prepared' | 'slot' | 'standby'
  /** The application, the prepared transaction, the slot or the standby. */
  readonly name: string
  /** Of the backend; null where there is none. */
  readonly pid: number | null
  /** For how long, where the server knows. */
  readonly seconds: number | null
  /** How many transactions began since the oldest row version that it still may see. */
  readonly transactions: number
  /** Bytes of WAL that are kept for it; null where none is. */
  readonly wal_bytes: number | null
}

export interface CleaningFacts {
  /** The worst ten, as far as this login may see them. */
  readonly holders: readonly CleaningHolder[]
  /** How many multixacts lie between the oldest of this database and the next. */
  readonly multixact_age: number
  /** From how many on the server cleans them up by force. */
  readonly multixact_age_max: number
  /** How full the server's queue of notifications is, from 0 to 1. */
  readonly notify_share: number
}

// Of a row of somebody else's the server tells a login without rights no more than its pid: that one has no age.
const text = `with holder as (
    select case a.backend_type when 'walsender' then 'standby' else 'transaction' end as kind, coalesce(nullif(a.application_name, ''), a.usename::text, 'unknown') as name, a.pid,
        case a.backend_type when 'walsender' then null else extract(epoch from clock_timestamp() - a.xact_start)::float8 end as seconds,
        greatest(age(a.backend_xmin), age(a.backend_xid), 0)::float8 as transactions, null::float8 as wal_bytes
      from pg_stat_activity a
     where a.pid <> pg_backend_pid() and a.backend_type in ('client backend', 'walsender') and (a.backend_xmin is not null or a.backend_xid is not null)
       and (a.datname = current_database() or a.datname is null or a.backend_type = 'walsender')
    union all
    select 'prepared', p.gid, null, extract(epoch from clock_timestamp() - p.prepared)::float8, age(p.transaction)::float8, null
      from pg_prepared_xacts p where p.database = current_database()
    union all
    select 'slot', s.slot_name::text, s.active_pid, null, greatest(age(s.xmin), age(s.catalog_xmin), 0)::float8,
        case when s.restart_lsn is not null and not pg_is_in_recovery() then pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::float8 end
      from pg_replication_slots s
  ), worst as (
    select h.* from holder h order by h.transactions desc, h.wal_bytes desc nulls last limit 10
  )
  select (select coalesce(jsonb_agg(to_jsonb(w)), '[]') from worst w) as holders,
      (select mxid_age(d.datminmxid)::float8 from pg_database d where d.datname = current_database()) as multixact_age,
      current_setting('autovacuum_multixact_freeze_max_age')::float8 as multixact_age_max, pg_notification_queue_usage() as notify_share`

export async function readCleaning(caller: Caller): Promise<CleaningFacts> {
  return (await caller.call<CleaningFacts>({ name: 'millrace_read_cleaning', text }, []))[0]!
}
