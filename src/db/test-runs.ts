// What a test asks of the runs in its own database: what is held and what is due; and a lease that is lost on order.
import type pg from 'pg'
import type { Caller } from './call.ts'
import { inTransaction } from './transaction.ts'

export interface TaskStanding {
  /** Tasks that this worker holds. */
  readonly held: number
  /** Tasks that others of the same name hold: they were there before it and are gone. */
  readonly lost: number
  /** The next moment at which something becomes due, in milliseconds since 1970; null where nothing will. */
  readonly due_ms: number | null
}

export async function readStanding(caller: Caller, workerId: string): Promise<TaskStanding> {
  const rows = await caller.call<TaskStanding>(
    {
      name: 'millrace_test_standing',
      text: `select (select count(*)::int from millrace.task t where t.worker_id = $1) as held,
          (select count(*)::int from millrace.task t join millrace.worker w on w.id = t.worker_id
            where w.id <> $1 and w.kind = 'worker' and w.name = (select o.name from millrace.worker o where o.id = $1)) as lost,
          (select ceil(extract(epoch from min(d.at)) * 1000)::float8
             from (select w.available_at as at from millrace.waiting_task w where not w.paused and isfinite(w.available_at)
                   union all
                   select t.ready_at + make_interval(secs => s.batch_ms / 1000.0)
                     from millrace.task t join millrace.step_definition s on s.id = t.step_id
                    where t.worker_id is null and s.batch_size is not null
                   union all
                   select s.held_until from millrace.limit_state s, millrace.test_clock c
                    where s.left_at is not null and s.held_until > coalesce(c.frozen_at, clock_timestamp()) + c.moved
                   union all
                   select a.remind_at from millrace.approval a where a.state = 'open' and a.reminded_at is null
                   union all
                   select s.due_at from millrace.schedule s where s.due_at is not null
                   union all
                   select f.verify_at from millrace.firing f where f.verify_at is not null
                   union all
                   select f.deadline_at from millrace.firing f where f.deadline_at is not null and f.overdue_at is null and f.closed_at is null) d) as due_ms`,
    },
    [workerId],
  )
  return rows[0]!
}

/** Takes back what workers hold of a run, as if their lease had run out. Nobody tells the workers. */
export async function takeBackTasks(pool: pg.Pool, runId: string, reason: string): Promise<void> {
  const client = await pool.connect()
  try {
    await inTransaction(client, async () => {
      // The function belongs to those that set the path for it.
      await client.query('set local search_path to millrace, pg_temp')
      await client.query(
        `select millrace.reclaim_tasks(h.worker_id, h.task_ids, $2, c.at, 'worker_lost')
           from (select t.worker_id, array_agg(t.id) as task_ids
                   from millrace.task t where t.run_id = $1 and t.worker_id is not null group by t.worker_id) h,
                (select coalesce(frozen_at, clock_timestamp()) + moved as at from millrace.test_clock) c`,
        [runId, reason],
      )
    })
  } finally {
    client.release()
  }
}
