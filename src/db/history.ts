// The SQL functions of history: outputs of steps, log lines, partitions, retention.
import type { Caller } from './call.ts'

export interface OutputRow {
  readonly run_id: string
  readonly step: string
  readonly outcome: 'completed' | 'skipped'
  readonly output: unknown
  /** Of a map: the places of the items that failed, where the map tolerates that. */
  readonly gaps: readonly number[] | null
}

/** The outputs of steps of runs, pair by pair; steps that are not final are left out. A map's output is a list. */
export function readOutputs(
  caller: Caller,
  pairs: ReadonlyArray<{ readonly runId: string; readonly step: string }>,
): Promise<OutputRow[]> {
  return caller.call<OutputRow>(
    {
      name: 'millrace_read_outputs',
      text: 'select run_id, step, outcome, output, gaps from millrace.read_outputs($1::uuid[], $2::text[])',
    },
    [pairs.map((pair) => pair.runId), pairs.map((pair) => pair.step)],
  )
}

/** The output of a final step, or of an item of a map. */
export interface ListedOutputRow {
  readonly step: string
  /** -1: of the step itself. */
  readonly item: number
  readonly outcome: 'completed' | 'skipped' | 'failed' | 'reclaimed'
  readonly output: unknown
  /** In the last row: whether there is another one behind it. */
  readonly more: boolean
}

/** A page of the outputs of a run, of at most 8 MiB unless it is one, behind this step and item. */
export function listOutputs(
  caller: Caller,
  runId: string,
  {
    after,
    most,
  }: { readonly after: readonly [step: string, item: number] | undefined; readonly most: number },
): Promise<ListedOutputRow[]> {
  return caller.call<ListedOutputRow>(
    {
      name: 'millrace_list_outputs',
      text: 'select step, item, outcome, output, more from millrace.list_outputs($1, $2, $3, $4)',
    },
    [runId, after?.[0] ?? null, after?.[1] ?? null, most],
  )
}

/** A line of a step's log; fields is JSON text. */
export interface LogRow {
  readonly taskId: number
  readonly stepId: number
  readonly attempt: number
  readonly message: string
  readonly fields: string
}

/** Writes log lines of a worker's steps; lines of attempts that no longer hold their task are dropped. */
export async function logTasks(
  caller: Caller,
  worker: { readonly workerId: string; readonly lockKey: number },
  rows: readonly LogRow[],
): Promise<void> {
  await caller.call(
    {
      name: 'millrace_log_tasks',
      text: 'select millrace.log_tasks($1, $2, $3::bigint[], $4::int[], $5::int[], $6::text[], $7::jsonb[])',
    },
    [
      worker.workerId,
      worker.lockKey,
      rows.map((row) => row.taskId),
      rows.map((row) => row.stepId),
      rows.map((row) => row.attempt),
      rows.map((row) => row.message),
      rows.map((row) => row.fields),
    ],
  )
}

/** Makes the partitions of the weeks ahead; answers how many were made, null where their tables were in use: ask again soon. */
export async function createPartitions(caller: Caller, weeksAhead: number): Promise<number | null> {
  const rows = await caller.call<{ made: number | null }>(
    { name: 'millrace_create_partitions', text: 'select millrace.create_partitions($1) as made' },
    [weeksAhead],
  )
  return rows[0]!.made
}

export interface PruneAnswer {
  readonly dropped_partitions: number
  readonly deleted_runs: number
  /** Whether a bound was reached, so that another call finds more. */
  readonly more: boolean
}

/** Drops what is beyond its retention, at most `batch` runs of pipelines with a shorter one. */
export async function pruneHistory(caller: Caller, batch: number): Promise<PruneAnswer> {
  const rows = await caller.call<PruneAnswer>(
    {
      name: 'millrace_prune_history',
      text: 'select dropped_partitions, deleted_runs, more from millrace.prune_history($1)',
    },
    [batch],
  )
  return rows[0]!
}
