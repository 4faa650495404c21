// The SQL functions of checkpoints: stored results of durable operations, written by attempts that hold their task, and read by later ones.
import type { CheckpointKind } from '../core/state.ts'
import type { Caller } from './call.ts'
import type { HeldRow, WorkerKey } from './tasks.ts'

/** A result to store; value and error are JSON text, one of them null. */
export interface CheckpointRow {
  readonly taskId: number
  readonly stepId: number
  readonly attempt: number
  readonly name: string
  readonly place: number
  readonly kind: string
  readonly value: string | null
  readonly error: string | null
}

/** What was not stored: `lost`, as the attempt no longer holds its task, or `kept`, as there is one of this name, which stays. */
export interface CheckpointAnswerRow {
  readonly kind: 'lost' | 'kept'
  readonly task_id: number
  readonly name: string
}

/** Stores results, those of one attempt in their order. An open wait for an endpoint's answer ends with the checkpoint of its name. */
export function writeCheckpoints(
  caller: Caller,
  worker: WorkerKey,
  rows: readonly CheckpointRow[],
): Promise<CheckpointAnswerRow[]> {
  return caller.call<CheckpointAnswerRow>(
    {
      name: 'millrace_write_checkpoints',
      text: `select kind, task_id, name from millrace.write_checkpoints($1, $2, $3::bigint[], $4::int[], $5::int[], $6::text[], $7::int[], $8::text[], $9::jsonb[], $10::jsonb[])`,
    },
    [
      worker.workerId,
      worker.lockKey,
      rows.map((row) => row.taskId),
      rows.map((row) => row.stepId),
      rows.map((row) => row.attempt),
      rows.map((row) => row.name),
      rows.map((row) => row.place),
      rows.map((row) => row.kind),
      rows.map((row) => row.value),
      rows.map((row) => row.error),
    ],
  )
}

/** What one attempt stores alone: its results have one kind and one place; an error is alone. All of it is JSON text. */
export interface StepCheckpoints extends HeldRow {
  readonly kind: string
  readonly place: number
  readonly names: readonly string[]
  readonly values: ReadonlyArray<string | null>
  readonly error: string | null
}

/** Stores them in one row. Answers with what became of them all, where that is not being stored. */
export async function writeStepCheckpoints(
  caller: Caller,
  worker: WorkerKey,
  given: StepCheckpoints,
): Promise<'lost' | 'kept' | null> {
  const [row] = await caller.call<{ refused: 'lost' | 'kept' | null }>(
    {
      name: 'millrace_write_step_checkpoints',
      text: `select millrace.write_step_checkpoints($1, $2, $3::bigint, $4::int, $5::int, $6::int, $7, $8::text[], $9::jsonb[], $10::jsonb) as refused`,
    },
    [
      worker.workerId,
      worker.lockKey,
      given.taskId,
      given.stepId,
      given.attempt,
      given.place,
      given.kind,
      given.names,
      given.values,
      given.error,
    ],
  )
  return row!.refused
}

/** Forgets the errors that are stored under these names, for an attempt that holds its task: the next one runs them anew. */
export async function forgetErrors(
  caller: Caller,
  worker: WorkerKey,
  task: HeldRow & { readonly names: readonly string[] },
): Promise<void> {
  await caller.call(
    {
      name: 'millrace_forget_errors',
      text: 'select millrace.forget_errors($1, $2, $3::bigint, $4::int, $5::int, $6::text[])',
    },
    [worker.workerId, worker.lockKey, task.taskId, task.stepId, task.attempt, task.names],
  )
}

export interface StoredCheckpointRow {
  readonly name: string
  readonly place: number
  readonly kind: CheckpointKind
  readonly attempt: number
  readonly value: unknown
  readonly error: unknown
}

/** All that is stored for a step of a run (or an item of it), in the order in which it came. */
export function readCheckpoints(
  caller: Caller,
  step: { readonly runId: string; readonly step: string; readonly item: number },
): Promise<StoredCheckpointRow[]> {
  return caller.call<StoredCheckpointRow>(
    {
      name: 'millrace_read_checkpoints',
      text: 'select name, place, kind, attempt, value, error from millrace.read_checkpoints($1, $2, $3)',
    },
    [step.runId, step.step, step.item],
  )
}
