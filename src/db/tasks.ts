// The SQL functions of tasks: claim, complete, fail, release, hold, and what a worker finds it holds.
import type { Caller } from './call.ts'

/** Who calls: a worker and the key of its locks. */
export interface WorkerKey {
  readonly workerId: string
  readonly lockKey: number
}

/** Where a worker looks for tasks: parallel lists of handler, priority, and the last position seen there. */
export interface Lanes {
  readonly handlers: readonly number[]
  readonly priorities: readonly number[]
  readonly positions: readonly number[]
}

export interface ClaimedTask {
  readonly task_id: number
  readonly run_id: string
  readonly step_id: number
  readonly item: number
  readonly item_value: unknown
  readonly attempt: number
  readonly priority: number
  readonly handler: number
  readonly failures: number
  readonly input: unknown
  readonly tenant: string | null
  readonly key: string | null
  readonly headers: Record<string, string> | null
  readonly run_created_at: Date
}

const claimedColumns =
  'task_id, run_id, step_id, item, item_value, attempt, priority, handler, failures, input, tenant, key, headers, run_created_at'

/** Claims up to `room` tasks. */
export function claimTasks(
  caller: Caller,
  worker: WorkerKey,
  room: number,
  lanes: Lanes,
): Promise<ClaimedTask[]> {
  return caller.call<ClaimedTask>(
    {
      name: 'millrace_claim_tasks',
      text: `select ${claimedColumns} from millrace.claim_tasks($1, $2, $3, $4::int[], $5::smallint[], $6::bigint[])`,
    },
    [worker.workerId, worker.lockKey, room, lanes.handlers, lanes.priorities, lanes.positions],
  )
}

/** Everything that a worker holds, for one that lost an answer and does not know; also what it must not begin any more. */
export function listHeldTasks(
  caller: Caller,
  worker: WorkerKey,
): Promise<Array<ClaimedTask & { readonly aborted: boolean }>> {
  return caller.call<ClaimedTask & { readonly aborted: boolean }>(
    {
      name: 'millrace_list_held_tasks',
      text: `select ${claimedColumns}, aborted from millrace.list_held_tasks($1, $2, true)`,
    },
    [worker.workerId, worker.lockKey],
  )
}

/** One finished task; output and writes are JSON text. */
export interface CompletedRow {
  readonly taskId: number
  readonly stepId: number
  readonly attempt: number
  readonly output: string | null
  readonly skipReason: string | null
  readonly writes: string | null
  /** Answer with the run's end, if this is it. */
  readonly watched: boolean
}

export interface CompleteAnswerRow {
  /** `woken`: a step that waited for a run that ended here, with its HandedValue as output. */
  readonly kind: 'next' | 'lost' | 'ended' | 'woken'
  readonly task_id: number | null
  readonly run_id: string | null
  readonly step_id: number | null
  readonly item: number | null
  readonly item_value: unknown
  readonly attempt: number | null
  readonly output: unknown
}

const completeTasksStatement = {
  name: 'millrace_complete_tasks',
  text: `select kind, task_id, run_id, step_id, item, item_value, attempt, output
    from millrace.complete_tasks($1, $2, $3::bigint[], $4::int[], $5::int[], $6::jsonb[], $7::text[], $8::jsonb[], $9::boolean[], $10, $11, $12, $13)`,
}

/**
 * Completes or skips tasks and answers with the next ones, leased to the same worker.
 *
 * @param room how many tasks the worker can take beyond the slots that these free
 * @param leastUrgent the greatest priority number among them
 * @param wakes whether steps that wait for runs which end here may come back as well
 */
export function completeTasks(
  caller: Caller,
  worker: WorkerKey,
  rows: readonly CompletedRow[],
  options: {
    readonly room: number
    readonly leastUrgent: number
    readonly transactional: boolean
    readonly wakes: boolean
  },
): Promise<CompleteAnswerRow[]> {
  return caller.call<CompleteAnswerRow>(completeTasksStatement, [
    worker.workerId,
    worker.lockKey,
    rows.map((row) => row.taskId),
    rows.map((row) => row.stepId),
    rows.map((row) => row.attempt),
    rows.map((row) => row.output),
    rows.some((row) => row.skipReason !== null) ? rows.map((row) => row.skipReason) : null,
    rows.some((row) => row.writes !== null) ? rows.map((row) => row.writes) : null,
    rows.some((row) => row.watched) ? rows.map((row) => row.watched) : null,
    options.room,
    options.leastUrgent,
    options.transactional,
    options.wakes,
  ])
}

/** One failed task; the error is JSON text, random is drawn from [0, 1). */
export interface FailedRow {
  readonly taskId: number
  readonly stepId: number
  readonly attempt: number
  readonly error: string
  readonly random: number
  /** Milliseconds, where the handler itself said when to try again. */
  readonly retryDelayMs: number | null
}

export interface FailAnswerRow {
  readonly kind: 'retry' | 'lost'
  readonly task_id: number
  readonly retry_at: Date | null
}

/** Fails tasks: each is tried again after a delay, or its run fails. Only retried and lost ones are answered. */
export function failTasks(
  caller: Caller,
  worker: WorkerKey,
  rows: readonly FailedRow[],
): Promise<FailAnswerRow[]> {
  return caller.call<FailAnswerRow>(
    {
      name: 'millrace_fail_tasks',
      text: `select kind, task_id, retry_at
        from millrace.fail_tasks($1, $2, $3::bigint[], $4::int[], $5::int[], $6::jsonb[], $7::float8[], $8::float8[])`,
    },
    [
      worker.workerId,
      worker.lockKey,
      rows.map((row) => row.taskId),
      rows.map((row) => row.stepId),
      rows.map((row) => row.attempt),
      rows.map((row) => row.error),
      rows.map((row) => row.random),
      rows.some((row) => row.retryDelayMs !== null) ? rows.map((row) => row.retryDelayMs) : null,
    ],
  )
}

export interface HeldRow {
  readonly taskId: number
  readonly stepId: number
  readonly attempt: number
}

/** Gives tasks back unfinished; no failure is counted. */
export async function releaseTasks(
  caller: Caller,
  worker: WorkerKey,
  rows: readonly HeldRow[],
  reason: string,
): Promise<void> {
  await caller.call(
    {
      name: 'millrace_release_tasks',
      text: 'select kind, task_id from millrace.release_tasks($1, $2, $3::bigint[], $4::int[], $5::int[], $6)',
    },
    [
      worker.workerId,
      worker.lockKey,
      rows.map((row) => row.taskId),
      rows.map((row) => row.stepId),
      rows.map((row) => row.attempt),
      reason,
    ],
  )
}

/**
 * Whether this attempt still holds its task, asked before a transaction begins. It also clears this connection's
 * counts of written rows, so that countWrites counts the transaction alone.
 */
export async function holdTask(caller: Caller, worker: WorkerKey, row: HeldRow): Promise<boolean> {
  const rows = await caller.call<{ held: boolean }>(
    {
      name: 'millrace_hold_task',
      text: 'select millrace.hold_task($1, $2, $3, $4, $5) as held, pg_stat_force_next_flush()',
    },
    [worker.workerId, worker.lockKey, row.taskId, row.stepId, row.attempt],
  )
  return rows[0]!.held
}

/** Rows written by table, for example {"public.report": {"inserted": 1, "updated": 0, "deleted": 0}}. */
export type Writes = Record<string, { inserted: number; updated: number; deleted: number }>

/**
 * What the server counts for this connection before a transaction writes. Only behind a transaction pooler is there anything: holdTask
 * cleared the counts of another connection, and those of the last client's transactions may still wait to be reported.
 */
export async function countOldWrites(caller: Caller): Promise<Writes> {
  return byTable(
    await caller.call<TableWrites>(
      {
        name: 'millrace_count_old_writes',
        text: `select schemaname || '.' || relname as name, n_tup_ins as inserted, n_tup_upd as updated, n_tup_del as deleted
          from pg_stat_xact_user_tables where schemaname <> 'millrace' and n_tup_ins + n_tup_upd + n_tup_del > 0`,
      },
      [],
    ),
  )
}

interface TableWrites {
  readonly name: string
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
}

/** The rows that the transaction of this connection has written so far, by table, without those counted before it began. */
export async function countWrites(caller: Caller, before: Writes = {}): Promise<Writes> {
  const rows = await caller.call<TableWrites>(
    {
      name: 'millrace_count_writes',
      text: `select n.nspname || '.' || c.relname as name, pg_stat_get_xact_tuples_inserted(c.oid) as inserted,
          pg_stat_get_xact_tuples_updated(c.oid) as updated, pg_stat_get_xact_tuples_deleted(c.oid) as deleted
        from (select distinct relation from pg_locks where pid = pg_backend_pid() and locktype = 'relation' and mode = 'RowExclusiveLock') l
        join pg_class c on c.oid = l.relation and c.relkind = 'r' join pg_namespace n on n.oid = c.relnamespace
       where n.nspname <> 'millrace' order by 1 limit 100`,
    },
    [],
  )
  const own = rows.map(({ name, inserted, updated, deleted }) => ({
    name,
    inserted: inserted - (before[name]?.inserted ?? 0),
    updated: updated - (before[name]?.updated ?? 0),
    deleted: deleted - (before[name]?.deleted ?? 0),
  }))
  return byTable(own.filter((row) => row.inserted + row.updated + row.deleted > 0))
}

function byTable(rows: readonly TableWrites[]): Writes {
  return Object.fromEntries(
    rows.map(({ name, inserted, updated, deleted }) => [name, { inserted, updated, deleted }]),
  )
}
