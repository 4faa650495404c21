// What this worker can run: the steps of its pipelines by the ids under which the database knows them.
import { MillraceError } from '../core/errors.ts'
import { ancestorsOf, type GraphNode, isEnding, lastSteps, type StepKind } from '../core/graph.ts'
import type { Caller } from '../db/call.ts'
import { registerPipeline } from '../db/pipelines.ts'
import type { PipelineDefinition, StepHandler } from '../sdk/pipeline.ts'
import type { Schema } from '../sdk/standard-schema.ts'

export interface ServedStep {
  readonly id: number
  readonly slug: string
  readonly version: number
  readonly name: string
  readonly kind: StepKind
  readonly tx: boolean
  readonly timeoutMs: number
  readonly handlerId: number
  /** Whether its output is that of the run. */
  readonly last: boolean
  /** The schema of the input of its runs. */
  readonly inputSchema: Schema | undefined
  readonly handler: StepHandler
  /** The steps whose outputs the handler may read; empty where it provably reads none. */
  readonly reads: readonly string[]
  /** The step that this one undoes. */
  readonly undoes: string | undefined
}

export interface ServedSteps {
  readonly byId: ReadonlyMap<number, ServedStep>
  readonly handlerIds: readonly number[]
  /** The version of each pipeline that this worker's code is. */
  readonly versions: ReadonlyMap<string, number>
}

/**
 * Registers the pipelines and notes under which ids their steps are known.
 *
 * @throws MillraceError sql_schema_refused, graph_invalid
 */
export async function registerSteps(
  caller: Caller,
  pipelines: readonly PipelineDefinition[],
  { queues, sqlSchemas }: { readonly queues: readonly string[]; readonly sqlSchemas: readonly string[] },
): Promise<ServedSteps> {
  const byId = new Map<number, ServedStep>()
  const versions = new Map<string, number>()
  for (const pipeline of pipelines) {
    const registered = await registerPipeline(caller, pipeline.slug, pipeline.graph)
    versions.set(pipeline.slug, registered.version)
    for (const { id, step, kind, handler: handlerId } of registered.steps) {
      const node = pipeline.graph.steps.find(({ name }) => name === step)!
      if (queues.length > 0 && !queues.includes(node.queue)) continue
      checkSchema(pipeline.slug, node, sqlSchemas)
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
        last: kind !== 'map' && lastSteps(pipeline.graph).join() === step,
        inputSchema: pipeline.inputSchema,
        handler,
        reads: readsOf(pipeline, node),
        undoes: node.kind === 'undo' ? node.undoes : undefined,
      })
    }
  }
  return { byId, versions, handlerIds: [...new Set([...byId.values()].map((step) => step.handlerId))] }
}

/** What undoes a step reads what that gave; what follows the whole run may read all of it. */
function readsOf({ graph, handlers }: PipelineDefinition, node: GraphNode): readonly string[] {
  const { readsSteps } = handlers.get(node.name)!
  if (node.kind === 'undo') return [...(readsSteps ? ancestorsOf(graph, node.undoes) : []), node.undoes]
  if (!readsSteps) return []
  return node.kind === 'finally'
    ? graph.steps.flatMap((step) => (isEnding(step) ? [] : [step.name]))
    : ancestorsOf(graph, node.name)
}

/** What a pipeline calls in the database is the administrator's business too: the worker says which schemas it may. */
function checkSchema(pipeline: string, node: GraphNode, allowed: readonly string[]): void {
  if (node.kind !== 'sql') return
  const schema = node.target?.split('.')[0] ?? ''
  if (allowed.includes(schema)) return
  throw new MillraceError(
    'sql_schema_refused',
    `The step '${node.name}' of pipeline '${pipeline}' calls ${node.target}, and this worker does not allow functions of schema '${schema}'.`,
    { fields: { pipeline, step: node.name, schema } },
  )
}
