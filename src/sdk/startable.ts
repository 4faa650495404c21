// Owns what can be started: the part of a pipeline that a start needs, and the types of its input and output.
import type { Graph } from '../core/graph.ts'
import type { StartRules } from '../db/start-rules.ts'
import type { Schema } from './standard-schema.ts'

/** What a start reads of a pipeline. */
export interface StartablePipeline {
  readonly slug: string
  /** As it is stored; reading it checks it. */
  readonly graph: Graph
  /** The sha256 of the graph: what tells one version from another. */
  readonly digest: string
  readonly inputSchema: Schema | undefined
  /** The rules on its starts that code brings; none where another copy of the package knows of none. */
  readonly startRules?: StartRules
}

/** What can be started: a pipeline, or the name of one that somebody else registered. */
export type Startable = StartablePipeline | string

/** What a start of the pipeline takes. */
export type PipelineInput<P> = P extends { readonly $input: infer Input } ? Input : unknown

/** What a run of the pipeline gives. */
export type PipelineOutput<P> = P extends { readonly $output: infer Output } ? Output : unknown

/** A run by its id. */
export interface StartedRun {
  readonly id: string
}

/** Whether a value has what a start reads of a pipeline. */
export function isPipelineLike(value: unknown): value is StartablePipeline {
  return typeof value === 'object' && value !== null && 'slug' in value && 'graph' in value
}
