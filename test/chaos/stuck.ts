// The stuck detector: finds what should have gone on long ago, and tells all that may say why it didn't.
import type { Sql } from '../protocol.ts'

const dumpedRuns = 3

interface Stuck {
  readonly run: string
  readonly what: string
  /** By the clock of the server, in milliseconds. */
  readonly since: number
}

/** The runs of which something should have happened so long ago, with what that is. */
export function findStuck(sql: Sql, seconds: number): Promise<Stuck[]> {
  return sql.query<Stuck & Record<string, unknown>>(
    `select run_id as run, what, 1000 * extract(epoch from since)::float8 as since from (
       select run_id, 'task ' || id || ' is ready since ' || ready_at as what, ready_at as since from millrace.task where worker_id is null
       union all
       select run_id, 'task ' || id || ' is held since ' || claimed_at, claimed_at from millrace.task where worker_id is not null
       union all
       select run_id, 'what waits as ' || id || ' was due at ' || available_at, available_at from millrace.waiting_task where available_at is not null
       union all
       select run_id, 'what waits as ' || id || ' waits for a limit since ' || queued_at, queued_at from millrace.waiting_task where queued_at is not null
       union all
       select r.id, 'it was started at ' || r.created_at, r.created_at + 2 * make_interval(secs => $1) from millrace.run r
        where r.finished_at is null and r.id in (select run_id from millrace.task union all select run_id from millrace.waiting_task)
     ) open where open.since < clock_timestamp() - make_interval(secs => $1) order by open.since limit 50`,
    [seconds],
  )
}

/**
 * The clock of the server in milliseconds, and whether two workers have been connected for so long and are heard: one of them may be the pooler, which
 * is connected for others; and who stands still, or is cut off, is not heard.
 */
export async function lookAround(
  sql: Sql,
  seconds: number,
): Promise<{ readonly at: number; readonly isConnected: boolean }> {
  const [answer] = await sql.query<{ at: number; is_connected: boolean }>(
    `select 1000 * extract(epoch from clock_timestamp())::float8 as at, count(*) > 1 as is_connected from pg_stat_activity
      where datname = current_database() and application_name = 'millrace heartbeat'
        and backend_start < clock_timestamp() - make_interval(secs => $1) and state_change > clock_timestamp() - interval '2 seconds'`,
    [seconds],
  )
  return { at: answer!.at, isConnected: answer!.is_connected }
}

/** The connections of ours that have rested in a transaction for so long. */
export async function findResting(sql: Sql, seconds: number): Promise<string[]> {
  const rows = await sql.query<{ thing: string }>(
    `select application_name || ' ' || pid as thing from pg_stat_activity
      where datname = current_database() and application_name like 'millrace%' and state like 'idle in transaction%'
        and state_change < clock_timestamp() - make_interval(secs => $1)`,
    [seconds],
  )
  return rows.map(({ thing }) => `I10 no connection rests in a transaction for ${seconds} s: ${thing}`)
}

const dumps: Readonly<Record<string, string>> = {
  runs: 'select id, slug, version, state, revision, input, output, paused_at, created_at from millrace.run where id = any ($1)',
  account:
    'select run_id, step, item, attempt, outcome, output, reason, worker_id, started_at, finished_at, retry_at, error ->> $$message$$ as error from millrace.attempt where run_id = any ($1) order by run_id, finished_at',
  events:
    'select run_id, at, actor, kind, step, detail from millrace.event where run_id = any ($1) order by run_id, at',
  tasks: 'select * from millrace.task where run_id = any ($1)',
  'waiting tasks': 'select * from millrace.waiting_task where run_id = any ($1)',
  waits:
    'select run_id, step_id, item, name, kind, signal_names, child_run, children_left, due_at, created_at from millrace.wait where run_id = any ($1)',
  workers:
    'select id, name, state, locked, sleeping, process_id, heartbeat_at, lease_expires_at, handlers from millrace.worker order by started_at',
  limits:
    'select k.name, s.key, s.used, s.waiting, s.changed_at from millrace.limit_state s join millrace.limit_rule k on k.id = s.rule_id order by s.changed_at desc limit 30',
  locks:
    'select l.pid, l.locktype, l.mode, l.granted, l.relation::regclass::text as relation, pg_blocking_pids(l.pid) as blocked_by from pg_locks l where not l.granted',
  activity:
    'select pid, application_name, state, wait_event_type, wait_event, state_change, left(query, 120) as query from pg_stat_activity where datname = current_database()',
}

/** Accounts, locks and activity, as text. */
export async function dumpStuck(sql: Sql, runs: readonly string[]): Promise<string> {
  const told: string[] = []
  for (const [title, text] of Object.entries(dumps)) {
    const rows = await sql.query(text, text.includes('$1') ? [runs.slice(0, dumpedRuns)] : [])
    told.push(`${title}:`, ...rows.map((row) => `  ${JSON.stringify(row)}`))
  }
  return told.join('\n')
}
