// The SQL functions of named locks: asked for again and again under one request, until they are held.
import type { Caller } from './call.ts'
import type { ListBounds } from './list-bounds.ts'
import type { HeldRow, WorkerKey } from './tasks.ts'

export interface LockAsked extends HeldRow {
  /** The id of the request: the same one asks again. */
  readonly request: string
  readonly name: string
  /** How long it may wait, counted from the first time it asked. */
  readonly waitMs: number | null
}

export interface LockAnswer {
  readonly kind: 'held' | 'waiting' | 'timeout' | 'circle' | 'lost'
  readonly token: number | null
}

/** Asks for a lock; each call says how it stands. */
export async function takeLock(caller: Caller, worker: WorkerKey, asked: LockAsked): Promise<LockAnswer> {
  const { taskId, stepId, attempt, request, name, waitMs } = asked
  const rows = await caller.call<LockAnswer>(
    {
      name: 'millrace_take_lock',
      text: 'select kind, token from millrace.take_lock($1, $2, $3, $4, $5, $6::uuid, $7, $8)',
    },
    [worker.workerId, worker.lockKey, taskId, stepId, attempt, request, name, waitMs],
  )
  return rows[0]!
}

/** Gives a lock back, or leaves its line. */
export async function releaseLock(caller: Caller, worker: WorkerKey, request: string): Promise<void> {
  await caller.call({ name: 'millrace_release_lock', text: 'select millrace.release_lock($1, $2::uuid)' }, [
    worker.workerId,
    request,
  ])
}

export interface LockRow {
  readonly name: string
  readonly tenant: string | null
  /** Null for one that waits. */
  readonly token: number | null
  readonly run_id: string
  readonly pipeline: string
  readonly step: string
  readonly item: number | null
  readonly worker: string
  readonly since: Date
  readonly wait_until: Date | null
}

/** Who holds a lock or waits for one: lock by lock, the holder first and then those who wait, in their order. */
export function listLocks(
  caller: Caller,
  filter: { readonly name?: string | undefined; readonly limit: number } & Pick<
    ListBounds,
    'tenant' | 'pipelines'
  >,
): Promise<LockRow[]> {
  return caller.call<LockRow>(
    {
      name: 'millrace_list_locks',
      text: `select q.name, q.tenant, q.token, q.run_id, d.slug as pipeline, d.step, nullif(q.item, -1) as item, w.name as worker,
          coalesce(q.granted_at, q.asked_at) as since, q.wait_until
        from millrace.lock_request q
        join millrace.task t on t.id = q.task_id and t.step_id = q.step_id and t.attempt = q.attempt and t.worker_id = q.worker_id
        join millrace.step_definition d on d.id = q.step_id
        join millrace.worker w on w.id = q.worker_id
       where ($1::text is null or q.name = $1) and (q.token is not null or t.aborted_at is null)
         and ($3::text is null or q.tenant = $3) and ($4::text[] is null or d.slug = any ($4))
       order by q.name, q.tenant, q.token is null, q.id limit $2`,
    },
    [filter.name ?? null, filter.limit, filter.tenant ?? null, filter.pipelines ?? null],
  )
}

/** Removes a batch of what counts no more; answers whether there may be more. */
export async function pruneLocks(caller: Caller, batch: number): Promise<boolean> {
  const rows = await caller.call<{ more: boolean }>(
    { name: 'millrace_prune_locks', text: 'select millrace.prune_locks($1) as more' },
    [batch],
  )
  return rows[0]!.more
}
