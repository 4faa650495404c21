// What this worker can run: the steps of its pipelines by the ids under which the database knows them.
import type { Cipher } from '../core/encryption.ts'
import { MillraceError } from '../core/errors.ts'
import {
  ancestorsOf,
  batchOf,
  dependentsOf,
  type Graph,
  type GraphNode,
  isEnding,
  lastSteps,
  type StepKind,
} from '../core/graph.ts'
import type { Caller } from '../db/call.ts'
import { defineCodeCallbacks } from '../db/callbacks.ts'
import { defineCodeLimits, type LimitDefinition } from '../db/limits.ts'
import { registerPipeline } from '../db/pipelines.ts'
import { type AllowedTargets, checkTarget } from '../net/target.ts'
import { limitDefinitions } from '../sdk/limits.ts'
import type { PipelineDefinition, StepHandler } from '../sdk/pipeline-definition.ts'
import type { Schema } from '../sdk/standard-schema.ts'
import type { WorkerLogEntry } from './options.ts'
import { type Sealing, sealingOf } from './step-sealing.ts'

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
  /** Whether its end may make more than one task ready. */
  readonly spreads: boolean
  /** Whether its tasks come in batches. */
  readonly batched: boolean
  /** Whether its end may make a task ready that comes in a batch. */
  readonly feedsBatch: boolean
  /** The schema of the input of its runs. */
  readonly inputSchema: Schema | undefined
  readonly handler: StepHandler
  /** The steps whose outputs the handler may read; empty where it provably reads none. */
  readonly reads: readonly string[]
  /** The step that this one undoes. */
  readonly undoes: string | undefined
  /** How its values are encrypted; undefined where they are not. */
  readonly sealing: Sealing | undefined
}

export interface ServedSteps {
  readonly byId: ReadonlyMap<number, ServedStep>
  readonly handlerIds: readonly number[]
  /** Those of them whose tasks come in batches. */
  readonly batchHandlerIds: readonly number[]
  /** The version of each pipeline that this worker's code is. */
  readonly versions: ReadonlyMap<string, number>
}

/**
 * Registers the pipelines and notes under which ids their steps are known.
 *
 * @throws MillraceError sql_schema_refused, worker_option_invalid, graph_invalid, encryption_key_missing, target_refused
 */
export async function registerSteps(
  caller: Caller,
  pipelines: readonly PipelineDefinition[],
  {
    queues,
    kinds,
    sqlSchemas,
    cipher,
    allowTargets,
    log,
  }: {
    readonly queues: readonly string[]
    readonly kinds: readonly StepKind[]
    readonly sqlSchemas: readonly string[]
    readonly cipher: Cipher | undefined
    readonly allowTargets: AllowedTargets
    readonly log: (entry: WorkerLogEntry) => void
  },
): Promise<ServedSteps> {
  const limits = limitDefinitions(pipelines)
  const byId = new Map<number, ServedStep>()
  const versions = new Map<string, number>()
  for (const pipeline of pipelines) {
    const registered = await registerPipeline(caller, pipeline.slug, pipeline.graph, pipeline.startRules)
    versions.set(pipeline.slug, registered.version)
    const spreading = spreadingSteps(pipeline.graph)
    const feeding = stepsBefore(pipeline.graph, (node) => batchOf(node) !== undefined)
    for (const { id, step, kind, handler: handlerId } of registered.steps) {
      const node = pipeline.graph.steps.find(({ name }) => name === step)!
      if (queues.length > 0 && !queues.includes(node.queue)) continue
      checkKind(pipeline.slug, node, kinds)
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
        spreads: spreading.has(step),
        batched: batchOf(node) !== undefined,
        feedsBatch: feeding.has(step),
        last: kind !== 'map' && lastSteps(pipeline.graph).join() === step,
        inputSchema: pipeline.inputSchema,
        handler,
        reads: readsOf(pipeline, node),
        undoes: node.kind === 'undo' ? node.undoes : undefined,
        sealing: sealingOf(pipeline, node, cipher),
      })
    }
  }
  await defineLimits(caller, limits, [...versions.keys()], log)
  await defineCallbacks(caller, pipelines, allowTargets)
  const steps = [...byId.values()]
  return {
    byId,
    versions,
    handlerIds: idsOf(steps),
    batchHandlerIds: idsOf(steps.filter(({ batched }) => batched)),
  }
}

function idsOf(steps: readonly ServedStep[]): number[] {
  return [...new Set(steps.map(({ handlerId }) => handlerId))]
}

/** Also where no pipeline has a rule: it may have had one. */
async function defineLimits(
  caller: Caller,
  limits: readonly LimitDefinition[],
  slugs: readonly string[],
  log: (entry: WorkerLogEntry) => void,
): Promise<void> {
  for (const { name, change, revision } of await defineCodeLimits(caller, limits, slugs)) {
    if (change === 'operator')
      log({
        level: 'info',
        message: `Limit '${name}' is as an operator defined it, revision ${revision}: what the code says of it does not count.`,
        fields: { limit: name, revision },
      })
  }
}

/** Also where no pipeline has one, as with limits. An address that this worker may never call is refused now, and not at the end of the first run. */
async function defineCallbacks(
  caller: Caller,
  pipelines: readonly PipelineDefinition[],
  allow: AllowedTargets,
): Promise<void> {
  for (const { url } of pipelines.flatMap(({ callbacks = [] }) => callbacks)) checkTarget(url, allow)
  const declared = Object.fromEntries(pipelines.map(({ slug, callbacks = [] }) => [slug, callbacks]))
  await defineCodeCallbacks(caller, declared, Object.keys(declared))
}

/** The steps after which a map or several others come, also where what comes between is skipped and so leads on at once. */
function spreadingSteps(graph: Graph): ReadonlySet<string> {
  const nodes = new Map(graph.steps.map((node) => [node.name, node]))
  const dependents = dependentsOf(graph)
  const spreads = (step: string): boolean => {
    const after = dependents.get(step) ?? []
    if (after.length > 1) return true
    return after.some((name) => {
      const { kind, if_skipped: ifSkipped } = nodes.get(name)!
      return kind === 'map' || (ifSkipped === 'skip' && spreads(name))
    })
  }
  return new Set(graph.steps.flatMap(({ name }) => (spreads(name) ? [name] : [])))
}

/** The steps after which such a one comes, also where what comes between is skipped and so leads on at once; and such maps, whose items may follow. */
function stepsBefore(graph: Graph, isWanted: (node: GraphNode) => boolean): ReadonlySet<string> {
  const nodes = new Map(graph.steps.map((node) => [node.name, node]))
  const dependents = dependentsOf(graph)
  const leads = (step: string): boolean =>
    (dependents.get(step) ?? []).some((name) => {
      const node = nodes.get(name)!
      return isWanted(node) || (node.if_skipped === 'skip' && leads(name))
    })
  return new Set(graph.steps.flatMap((node) => (leads(node.name) || isWanted(node) ? [node.name] : [])))
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

/** Tasks are claimed by queue: what lies on one with others can't be left to other workers. */
function checkKind(pipeline: string, { name, kind, queue }: GraphNode, allowed: readonly StepKind[]): void {
  if (allowed.length === 0 || allowed.includes(kind)) return
  throw new MillraceError(
    'worker_option_invalid',
    `The step '${name}' of pipeline '${pipeline}' is of kind ${kind} and on queue '${queue}', where this worker runs ${allowed.join(', ')} only.`,
    {
      fields: { option: 'kinds', pipeline, step: name, kind, queue },
      hint: 'Give the step another queue, the worker other queues, or its kinds this one.',
    },
  )
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
