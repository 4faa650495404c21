// Owns a pipeline as client and worker read it: its graph, and a handler for each step.
import type { CallbackRow } from '../db/callbacks.ts'
import type { ReadCache } from './cache.ts'
import type { PlacedLimit } from './limits.ts'
import type { Schema } from './standard-schema.ts'
import type { HandlerContext, StepOutputs, WhenContext } from './context.ts'
import type { StartablePipeline } from './startable.ts'

export const brand = Symbol.for('millrace.pipeline')

/** What a worker runs for one step. */
export interface StepHandler {
  readonly handler: (context: HandlerContext) => unknown
  readonly when?: (context: WhenContext<unknown, StepOutputs>) => unknown
  readonly outputSchema?: Schema
  /** How its output is kept for others. */
  readonly cache?: ReadCache
  /** False where neither handler nor condition can reach `steps`, so that no output need be fetched. */
  readonly readsSteps: boolean
  /** Whether its `sql` may write outside of a transaction of the step. */
  readonly writes: boolean
}

/** A pipeline as client and worker read it. */
export interface PipelineDefinition extends StartablePipeline {
  readonly [brand]: true
  readonly handlers: ReadonlyMap<string, StepHandler>
  /** The rules that hold for it and its steps; they belong to no version. */
  readonly limits: readonly PlacedLimit[]
  /** Who is told of the end of its runs; none where another copy of the package knows of none. */
  readonly callbacks?: readonly CallbackRow[]
}

/** Whether a value is a pipeline, also one made by another copy of this package. */
export function isPipeline(value: unknown): value is PipelineDefinition {
  return typeof value === 'object' && value !== null && Reflect.get(value, brand) === true
}
