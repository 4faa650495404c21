// What this worker can run: the steps of its pipelines by the ids under which the database knows them.
import { ancestorsOf } from '../core/graph.ts'
import type { Caller } from '../db/call.ts'
import { registerPipeline } from '../db/pipelines.ts'
import type { PipelineDefinition, StepHandler } from '../sdk/pipeline.ts'

export interface ServedStep {
  readonly id: number
  readonly slug: string
  readonly version: number
  readonly name: string
  readonly kind: 'step' | 'map'
  readonly tx: boolean
  readonly timeoutMs: number
  readonly handlerId: number
  readonly handler: StepHandler
  /** The steps whose outputs the handler may read; empty where it provably reads none. */
  readonly reads: readonly string[]
}

export interface ServedSteps {
  readonly byId: ReadonlyMap<number, ServedStep>
  readonly handlerIds: readonly number[]
  /** The version of each pipeline that this worker's code is. */
  readonly versions: ReadonlyMap<string, number>
}

/** Registers the pipelines and notes under which ids their steps are known. */
export async function registerSteps(
  caller: Caller,
  pipelines: readonly PipelineDefinition[],
  queues: readonly string[],
): Promise<ServedSteps> {
  const byId = new Map<number, ServedStep>()
  const versions = new Map<string, number>()
  for (const pipeline of pipelines) {
    const registered = await registerPipeline(caller, pipeline.slug, pipeline.graph)
    versions.set(pipeline.slug, registered.version)
    for (const { id, step, kind, handler: handlerId } of registered.steps) {
      const node = pipeline.graph.steps.find(({ name }) => name === step)!
      if (queues.length > 0 && !queues.includes(node.queue)) continue
      const handler = pipeline.handlers.get(step)!
      byId.set(id, {
        id,
        slug: pipeline.slug,
        version: registered.version,
        name: step,
        kind,
        tx: node.tx,
        timeoutMs: node.timeout_ms,
        handlerId,
        handler,
        reads: handler.readsSteps ? [...ancestorsOf(pipeline.graph, step)] : [],
      })
    }
  }
  return { byId, versions, handlerIds: [...new Set([...byId.values()].map((step) => step.handlerId))] }
}
