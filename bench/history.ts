// A million runs that ended days ago, written as the functions of the product leave them, but in two statements.
import type pg from 'pg'

/** Written, looked at by the planner and on the disk, so that nothing of it is left to do while something is measured. */
export async function fillHistory(pool: pg.Pool, slug: string, runs: number, tenants = 0): Promise<void> {
  await writeHistory(pool, slug, runs, tenants)
  await pool.query('vacuum analyze millrace.run, millrace.attempt')
  await pool.query('checkpoint')
}

/** The pipeline must be registered, with a step called 'one'. With tenants, the runs belong to them in turn. */
export async function writeHistory(pool: pg.Pool, slug: string, runs: number, tenants = 0): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    // No checks of what is known to be there: it spares a million look-ups of the same pipeline.
    await client.query('set local session_replication_role = replica')
    await client.query(
      `create temporary table past on commit drop as
       select overlay(millrace.uuid_floor(moment)::text placing lpad(to_hex(n), 12, '0') from 25)::uuid as id, moment, case when $2 > 0 then 'tenant ' || n % $2 end as tenant
         from generate_series(1, $1::int) n,
              lateral (select clock_timestamp() - interval '3 days' + n * (interval '2 days' / $1) as moment) at`,
      [runs, tenants],
    )
    await client.query(
      `insert into millrace.run (id, slug, version, tenant, state, input, output, started_via, started_by, created_at, started_at, finished_at)
       select id, $1, 1, tenant, 'completed', '{"n":1}', '{"ok":1}', 'sdk', session_user, moment, moment, moment from past order by id`,
      [slug],
    )
    await client.query(
      `insert into millrace.attempt (run_id, step, item, attempt, worker_id, outcome, output, ready_at, started_at, finished_at)
       select id, 'one', -1, 1, gen_random_uuid(), 'completed', '{"ok":1}', moment, moment, moment from past order by id`,
    )
    await client.query('commit')
  } finally {
    client.release(true)
  }
}
