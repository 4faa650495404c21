// Owns the versions of a pipeline as clients steer them: its revision, among which versions starts are split, and how their runs went.
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import { listPipelines, type OutcomeRow, pipelineOutcomes } from '../db/pipeline-list.ts'
import { splitPipeline } from '../db/pipelines.ts'
import type { ChangeOptions } from './run-handle.ts'

/** How the runs of one version went; share is that of the starts that name no version, from 0 to 1. */
export interface PipelineOutcome extends Omit<OutcomeRow, 'median_ms'> {
  readonly medianMs: number | null
}

/** @throws MillraceError pipeline_unknown */
export async function pipelineRevision(caller: Caller, slug: string): Promise<number> {
  const [row] = await listPipelines(caller, slug)
  if (row === undefined)
    throw new MillraceError('pipeline_unknown', `There is no pipeline '${slug}'.`, {
      fields: { pipeline: slug },
    })
  return row.revision
}

export interface SplitOptions extends ChangeOptions {
  /** A path into the input, such as user.id: what stands there always gets the same version. */
  readonly key?: string
}

/** @throws MillraceError pipeline_unknown, argument_invalid, revision_conflict */
export async function splitStarts(
  caller: Caller,
  slug: string,
  weights: Readonly<Record<number, number>>,
  options: SplitOptions,
): Promise<void> {
  const shares = Object.entries(weights).map(([version, weight]) => ({ version: Number(version), weight }))
  await splitPipeline(caller, slug, shares, options.key ?? null, options.ifRevision)
}

/** @throws MillraceError pipeline_unknown */
export async function outcomesOf(caller: Caller, slug: string, since?: Date): Promise<PipelineOutcome[]> {
  const rows = await pipelineOutcomes(caller, slug, since ?? null)
  return rows.map(({ median_ms, ...counts }) => ({ ...counts, medianMs: median_ms }))
}
