// The SQL functions of checkpoints: stored results of durable operations, written by attempts that hold their task, and read by later ones.
import type { CheckpointKind } from '../core/state.ts'
import type { Caller } from './call.ts'
import type { WorkerKey } from './tasks.ts'

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
