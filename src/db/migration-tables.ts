// The tables that an apply changes: had all at once, before any of them is changed.
import type pg from 'pg'
import { LOCK_NOT_AVAILABLE } from './sql-file-run.ts'

/** Below the server's deadlock_timeout (a second unless told): so it is the migrator that gives way, and never an attempt in the middle of its transaction. */
const giveWayMs = 500

/** The tables of ours that these migrations name. */
export function namedTables(migrations: readonly { text: string }[]): string[] {
  return migrations.flatMap(({ text }) =>
    Array.from(text.matchAll(/\bmillrace\.(\w+)/g), ([, name]) => name ?? ''),
  )
}

/**
 * Locks those of the named tables that exist, each with its partitions, which nobody has without it. Who has none of the tables yet can't be
 * part of a circle, so the first is waited for in the queue, like any other lock. From then on the migrator is in somebody's way: who has
 * another one and wants the first goes on as soon as it gives up and is undone. The caller tries again, with the table that was in the way
 * (blockingTable) as the first.
 */
export async function lockTables(
  client: pg.ClientBase,
  names: readonly string[],
  { first, lockTimeoutMs }: { first: string | undefined; lockTimeoutMs: number },
): Promise<void> {
  const { rows } = await client.query<{ oid: number }>(
    `select c.oid from pg_class c
      where c.relnamespace = 'millrace'::regnamespace and c.relkind in ('r', 'p') and c.relname = any ($1::text[])
      order by c.relname is distinct from $2, c.oid`,
    [names, first],
  )
  if (rows.length > 0) await client.query(lockAll(rows, Math.trunc(lockTimeoutMs)))
}

/** The table that was in the way of lockTables. */
export function blockingTable(error: unknown): string | undefined {
  const { code, table } = error as Partial<pg.DatabaseError>
  return code === LOCK_NOT_AVAILABLE ? table : undefined
}

// The server keeps the time, since others wait there. The tables after the first are bounded together: one after the other they might take
// longer than a session waits before it looks for a deadlock. Who came behind the migrator before it had the first table has waited already,
// and may look any moment: where such a session has one of the rest, or holds up one that has, waiting would be of no use anyhow.
const lockAll = (tables: readonly { oid: number }[], lockTimeoutMs: number): string => `do $$
declare
  tables constant regclass[] := '{${tables.map(({ oid }) => oid).join()}}';
  wanted regclass := tables[1];
  ends_at timestamptz;
begin
  execute format('lock table %s in access exclusive mode', wanted);
  ends_at := clock_timestamp() + interval '${Math.min(giveWayMs, lockTimeoutMs)} ms';
  for wanted in
    with recursive waiting as materialized (select pid, pg_blocking_pids(pid) as blockers from pg_locks where not granted),
    behind (pid) as (
      select pg_backend_pid() union select w.pid from waiting w join behind b on b.pid = any (w.blockers)
    )
    select l.relation from behind b join pg_locks l on l.pid = b.pid
     where b.pid <> pg_backend_pid() and l.granted and l.relation = any (tables[2:]::oid[])
  loop
    raise lock_not_available;
  end loop;
  foreach wanted in array tables[2:] loop
    perform set_config('lock_timeout', greatest(1, extract(milliseconds from ends_at - clock_timestamp())::int)::text, true);
    execute format('lock table %s in access exclusive mode', wanted);
  end loop;
  perform set_config('lock_timeout', '${lockTimeoutMs}', true);
exception when lock_not_available then
  raise lock_not_available using
    message = format('Table %s is in use.', wanted),
    table = (select relname from pg_class where oid = wanted);
end $$`
