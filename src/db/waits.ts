// The SQL functions of waiting: tasks that park until something comes, waits that are opened ahead, called runs.
import type { RunState } from '../core/state.ts'
import type { Caller } from './call.ts'
import { type HandedTask, type HandedValue, handedTask } from './handed-tasks.ts'
import type { HeldRow, WorkerKey } from './tasks.ts'

/** A run to start. What is left out of tenant, priority and headers is that of the run that calls. */
export interface ChildStart {
  readonly id: string
  readonly slug: string
  readonly version?: number | undefined
  readonly input: unknown
  readonly priority?: number | undefined
  readonly tenant?: string | undefined
  /** Added to those of the run that calls. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly available_at?: string | undefined
}

/** A question to people. Its wait's `ms` or `until` is when it expires. */
export interface ApprovalRequest {
  readonly id?: string | undefined
  readonly title?: string | undefined
  readonly data?: unknown
  readonly roles?: readonly string[] | undefined
  readonly people?: readonly string[] | undefined
  readonly quorum?: number | undefined
  /** The JSON Schema of what an approval brings along. */
  readonly form?: unknown
  /** Counted from the first registration, as `ms` is. */
  readonly remind_ms?: number | undefined
  readonly otherwise?: 'fail' | 'skip' | 'approve' | 'reject' | undefined
}

interface WaitOf<Kind extends string> {
  readonly name: string
  readonly place: number
  readonly kind: Kind
  /** Milliseconds from the first registration by the database's clock; what waits already keeps its time. */
  readonly ms?: number | undefined
  /** ISO 8601. */
  readonly until?: string | undefined
}

/** What a task waits for; sent as it stands, so the names are those that SQL reads. */
export type WaitSpec =
  | WaitOf<'sleep'>
  | (WaitOf<'signal'> & {
      readonly signals: readonly string[]
      readonly take?: 'next' | 'first' | undefined
      readonly match?: unknown
    })
  | (WaitOf<'approval'> & { readonly approval: ApprovalRequest })
  | (WaitOf<'call'> & {
      /** One run: the checkpoint is {run, state, output | error}; detached, {run} at once. */
      readonly start?: ChildStart | undefined
      /** Many: the checkpoint is {runs: [id, …]}, and readChildren has how each ended. */
      readonly children?: readonly ChildStart[] | undefined
      readonly detached?: boolean | undefined
    })
  /** The token is SHA-256 of the completion token, in hexadecimal digits. */
  | (WaitOf<'http'> & { readonly token: string })

export interface ParkedRow extends HeldRow {
  readonly waits: readonly WaitSpec[]
}

export interface ParkAnswerRow {
  /** `ready`: one of the waits has ended already, so the task can be claimed at once. `leased`: a task of a called run, which comes with it. */
  readonly kind: 'parked' | 'ready' | 'lost' | 'leased'
  readonly task_id: number
  /** Of `leased`: as it would have been claimed. */
  readonly claimed: HandedTask | null
}

/**
 * Parks tasks until one of their waits ends. Children are started, approvals opened, in the same transaction.
 *
 * @param room how many tasks of called runs the worker can take beyond the slots that these free; null where it takes none
 * @throws MillraceError child_refused, and what starts throw: pipeline_unknown, key_value_missing, run_id_off_clock
 */
export async function parkTasks(
  caller: Caller,
  worker: WorkerKey,
  rows: readonly ParkedRow[],
  room: number | null,
): Promise<ParkAnswerRow[]> {
  const answers = await caller.call<
    Omit<ParkAnswerRow, 'claimed'> & { readonly claimed: HandedValue | null }
  >(
    {
      name: 'millrace_park_tasks',
      text: `select kind, task_id, claimed from millrace.park_tasks($1, $2, $3::bigint[], $4::int[], $5::int[], $6::jsonb[], $7::int)`,
    },
    [...waitValues(worker, rows), room],
  )
  return answers.map((row) => ({ ...row, claimed: row.claimed === null ? null : handedTask(row.claimed) }))
}

/**
 * Registers waits for endpoints' answers before the requests are sent, so that no answer can come too early; the tasks stay with their
 * worker. Answers with the tasks that it no longer holds.
 */
export async function openWaits(
  caller: Caller,
  worker: WorkerKey,
  rows: readonly ParkedRow[],
): Promise<number[]> {
  const lost = await caller.call<{ task_id: number }>(
    {
      name: 'millrace_open_waits',
      text: `select task_id from millrace.open_waits($1, $2, $3::bigint[], $4::int[], $5::int[], $6::jsonb[])`,
    },
    waitValues(worker, rows),
  )
  return lost.map((row) => row.task_id)
}

function waitValues(worker: WorkerKey, rows: readonly ParkedRow[]): unknown[] {
  return [
    worker.workerId,
    worker.lockKey,
    rows.map((row) => row.taskId),
    rows.map((row) => row.stepId),
    rows.map((row) => row.attempt),
    rows.map((row) => JSON.stringify(row.waits)),
  ]
}

export interface ChildRow {
  readonly place: number
  readonly run_id: string
  readonly state: RunState
  readonly output: unknown
  readonly error: unknown
}

/** The runs that a call of a step started, in their order, as they stand. */
export function readChildren(
  caller: Caller,
  call: {
    readonly runId: string
    readonly step: string
    readonly item: number
    readonly name: string
  },
): Promise<ChildRow[]> {
  return caller.call<ChildRow>(
    {
      name: 'millrace_read_children',
      text: 'select place, run_id, state, output, error from millrace.read_children($1, $2, $3, $4)',
    },
    [call.runId, call.step, call.item, call.name],
  )
}
