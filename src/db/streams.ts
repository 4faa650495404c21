// The SQL functions of what a run shows while it runs: what steps say, how far it is, and the stream that others follow.
import type { ReportRefusal, ToldReports } from '../core/reports.ts'
import type { RunState } from '../core/state.ts'
import type { Caller } from './call.ts'
import type { HeldRow, WorkerKey } from './tasks.ts'

/** What a step says; the body is JSON text. */
export interface ReportRow extends HeldRow {
  readonly kind: 'progress' | 'metadata' | 'metric' | 'part'
  readonly body: string
  /** Which part of its attempt one is, from 0, so that one that is sent again is written once. */
  readonly number: number | null
}

export interface ReportAnswerRow {
  readonly task_id: number
  readonly code: 'attempt_lost' | ReportRefusal
}

/** Keeps what a worker's steps say; answers with what was not kept. */
export function reportTasks(
  caller: Caller,
  worker: WorkerKey,
  rows: readonly ReportRow[],
): Promise<ReportAnswerRow[]> {
  return caller.call<ReportAnswerRow>(
    {
      name: 'millrace_report_tasks',
      text: 'select task_id, code from millrace.report_tasks($1, $2, $3::bigint[], $4::int[], $5::int[], $6::text[], $7::jsonb[], $8::int[])',
    },
    [
      worker.workerId,
      worker.lockKey,
      rows.map((row) => row.taskId),
      rows.map((row) => row.stepId),
      rows.map((row) => row.attempt),
      rows.map((row) => row.kind),
      rows.map((row) => row.body),
      rows.map((row) => row.number),
    ],
  )
}

export interface StreamRow {
  readonly state: RunState
  /** Null, as all that follows, where no part is there. */
  readonly position: number | null
  readonly step: string
  readonly item: number
  readonly attempt: number
  readonly value: unknown
  readonly written_at: Date
}

/**
 * Parts of a stream from a position on; one row without a part where there is none. Where the run's state is final, nothing comes after them.
 *
 * @param interest who is to be notified of what comes, for so many seconds
 * @throws MillraceError run_unknown, argument_invalid
 */
export function followStream(
  caller: Caller,
  runId: string,
  page: { readonly first: number; readonly most: number },
  interest?: { readonly watcher: string; readonly seconds: number },
): Promise<StreamRow[]> {
  return caller.call<StreamRow>(
    {
      name: 'millrace_follow_stream',
      text: 'select state, position, step, item, attempt, value, written_at from millrace.follow_stream($1, $2, $3, $4, $5)',
    },
    [runId, page.first, page.most, interest?.watcher ?? null, interest?.seconds ?? 600],
  )
}

export interface ProgressRow {
  readonly state: RunState
  /** Steps and items of maps that are final. */
  readonly done: number
  /** Those that are known so far: a map counts as one step until its list is there. */
  readonly known: number
  /** From 0 to 100; 100 where the run is completed, and only then. */
  readonly percent: number
  readonly reports: ToldReports
}

/** How far a run is, and what its handlers have said of it. @throws MillraceError run_unknown */
export async function readProgress(caller: Caller, runId: string): Promise<ProgressRow> {
  const rows = await caller.call<ProgressRow>(
    {
      name: 'millrace_read_progress',
      text: 'select state, done, known, percent, reports from millrace.read_progress($1)',
    },
    [runId],
  )
  return rows[0]!
}
