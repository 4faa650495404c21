// What a test asks of the runs in its own database: what is held and what is due; and a lease that is lost on order.
import type pg from 'pg'
import type { Caller } from './call.ts'
import { inTransaction } from './transaction.ts'

export interface TaskStanding {
  /** Tasks that this worker holds. */
  readonly held: number
  /** Tasks that others of the same name hold: they were there before it and are gone. */
  readonly lost: number
  /** How much was due before and is still there: it waits for something else than the time. */
  readonly overdue: number
  /** The next moment at which something becomes due, in milliseconds since 1970; null where nothing will. */
  readonly due_ms: number | null
}

/** Each kind of due_triggers, and what sweeps and heartbeats look after. What is tried again now and then for as long as it is refused is not due. */
export async function readStanding(caller: Caller, workerId: string): Promise<TaskStanding> {
  const rows = await caller.call<TaskStanding>(
    {
      name: 'millrace_test_standing',
      text: `with clock as (
          select coalesce(c.frozen_at, clock_timestamp()) + c.moved as at from millrace.test_clock c
        ), due as (
          select w.available_at as at from millrace.waiting_task w where not w.paused and isfinite(w.available_at)
          union all
          select t.ready_at + make_interval(secs => s.batch_ms / 1000.0)
            from millrace.task t join millrace.step_definition s on s.id = t.step_id
           where t.worker_id is null and s.batch_size is not null
          union all
          select s.held_until from millrace.limit_state s where s.left_at is not null
          union all
          select a.remind_at from millrace.approval a where a.state = 'open' and a.reminded_at is null
          union all
          select s.due_at from millrace.schedule s where s.due_at is not null
          union all
          select f.verify_at from millrace.firing f where f.verify_at is not null
          union all
          select f.deadline_at from millrace.firing f where f.deadline_at is not null and f.overdue_at is null and f.closed_at is null
          union all
          select p.next_at from millrace.ping p where p.next_at is not null
          union all
          select d.due_at from millrace.callback_delivery d where d.due_at is not null
          union all
          select e.due_at from millrace.emitted_event e where e.due_at is not null
          union all
          select greatest(w.look_at, c.at + make_interval(secs => coalesce((w.settings ->> 'coalesce_ms')::int, 0) / 1000.0))
            from millrace.change_watch w join millrace.change c on c.watch_id = w.id
           where w.paused_at is null and w.retired_at is null and c.held_until is null
          union all
          select d.deadline_at from millrace.run_deadline d
          union all
          select d.paced_at + make_interval(secs => 1 / d.rate) from millrace.redrive d where d.finished_at is null and d.rate is not null
        )
        select (select count(*)::int from millrace.task t where t.worker_id = $1) as held,
          (select count(*)::int from millrace.task t join millrace.worker w on w.id = t.worker_id
            where w.id <> $1 and w.kind = 'worker' and w.name = (select o.name from millrace.worker o where o.id = $1)) as lost,
          (select count(*)::int from due d, clock c where d.at <= c.at) as overdue,
          (select ceil(extract(epoch from min(d.at)) * 1000)::float8 from due d, clock c where d.at > c.at) as due_ms`,
    },
    [workerId],
  )
  return rows[0]!
}

/**
 * Ends the workers of this one's name that were there before it and whose lease is over. Sweeps do so as well, but not where the engine's
 * time is before the start of the server.
 */
export async function endLostWorkers(pool: pg.Pool, workerId: string): Promise<void> {
  await asOwnFunctions(
    pool,
    `select millrace.end_workers(array_agg(w.id), c.at)
       from millrace.worker w join millrace.worker o on o.id = $1 and o.name = w.name,
            (select coalesce(frozen_at, clock_timestamp()) + moved as at from millrace.test_clock) c
      where w.id <> o.id and w.kind = 'worker' and w.state <> 'gone' and w.lease_expires_at < c.at
      group by c.at`,
    [workerId],
  )
}

/** Who has decided on an approval. */
export async function decidersOf(caller: Caller, approvalId: string): Promise<string[]> {
  const rows = await caller.call<{ actor: string }>(
    {
      name: 'millrace_test_deciders',
      text: 'select d.actor from millrace.approval_decision d where d.approval_id = $1',
    },
    [approvalId],
  )
  return rows.map(({ actor }) => actor)
}

/** Takes back a task that a worker holds, as if its lease had run out. Nobody tells the worker. */
export async function takeBackTask(
  pool: pg.Pool,
  { runId, step, index = -1 }: { readonly runId: string; readonly step: string; readonly index?: number },
  reason: string,
): Promise<void> {
  await asOwnFunctions(
    pool,
    `select millrace.reclaim_tasks(t.worker_id, array[t.id], $4, coalesce(c.frozen_at, clock_timestamp()) + c.moved, 'worker_lost')
       from millrace.task t join millrace.step_definition s on s.id = t.step_id, millrace.test_clock c
      where t.run_id = $1 and s.step = $2 and t.item = $3 and t.worker_id is not null`,
    [runId, step, index, reason],
  )
}

/** Calls functions that belong to those that set the path for them. */
async function asOwnFunctions(pool: pg.Pool, text: string, values: readonly unknown[]): Promise<void> {
  const client = await pool.connect()
  try {
    await inTransaction(client, async () => {
      await client.query('set local search_path to millrace, pg_temp')
      await client.query(text, [...values])
    })
  } finally {
    client.release()
  }
}
