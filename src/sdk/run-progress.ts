// Owns what a client answers to progress(): how far a run is, and what its handlers have said of it.
import type { ToldMetric, ToldObjective, ToldProgress } from '../core/reports.ts'
import type { RunState } from '../core/state.ts'
import type { ProgressRow } from '../db/streams.ts'

export interface StepProgress extends Omit<ToldProgress, 'at'> {
  readonly at: Date
}

export interface MetricValues extends ToldMetric {}

export interface ObjectiveResult extends Omit<ToldObjective, 'found_min' | 'found_max'> {
  readonly foundMin: number | null
  readonly foundMax: number | null
}

export interface RunProgress {
  readonly state: RunState
  /** Steps and items of maps that are final, of those that are known so far: a map counts as one until its list is there. */
  readonly done: number
  readonly known: number
  /** From 0 to 100; 100 where the run is completed, and only then. */
  readonly percent: number
  /** What steps said of their own progress; the last word comes first, 100 at most. */
  readonly steps: readonly StepProgress[]
  readonly metadata: Readonly<Record<string, unknown>>
  readonly metrics: readonly MetricValues[]
  readonly objectives: readonly ObjectiveResult[]
  /** How many parts its stream has. */
  readonly parts: number
}

export function progressOf({ reports, ...run }: ProgressRow): RunProgress {
  const { progress, metadata, metrics, objectives, parts } = reports
  return {
    ...run,
    steps: progress.map((told) => ({ ...told, at: new Date(told.at) })),
    metadata,
    metrics,
    objectives: objectives.map(({ found_min: foundMin, found_max: foundMax, ...told }) => ({
      ...told,
      foundMin,
      foundMax,
    })),
    parts,
  }
}
