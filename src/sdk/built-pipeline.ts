// Owns the pipeline at run time: what each call of the builder keeps, and the graph that comes of it.
import { digestOf } from '../core/digest.ts'
import type { Duration } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import {
  checkGraph,
  checkNewName,
  checkNode,
  batchOf,
  type Graph,
  type BroughtKind,
  type GraphNode,
  isEnding,
  type StepKind,
} from '../core/graph.ts'
import type { Objectives } from '../core/objectives.ts'
import type { StartRules } from '../db/start-rules.ts'
import { onFailureName, onSuccessName, undoName } from './ending.ts'
import { readStepCache } from './cache.ts'
import { asksForItem, inputPaths } from './limit.ts'
import type { CallbackRow } from '../db/callbacks.ts'
import { type PlacedLimit, rulesOf } from './limits.ts'
import { brand, type PipelineDefinition, type StepHandler } from './pipeline-definition.ts'
import type { Schema } from './standard-schema.ts'
import { broughtOptionNames, broughtStep, type BroughtWritten } from './step-kinds.ts'
import { graphNode, type SharedOptions, type StepPlace, type WrittenOptions } from './step-options.ts'
import { readsSteps } from './steps-read.ts'

interface Written {
  readonly slug: string
  readonly shared: SharedOptions
  readonly key: Graph['key']
  readonly objectives: Objectives | undefined
  readonly encrypt: Graph['encrypt']
  readonly failure: Pick<Graph, 'retry_allowance' | 'pause_after' | 'ageing_ms'>
  readonly inputSchema: Schema | undefined
  readonly startRules: StartRules
  readonly nodes: readonly GraphNode[]
  readonly handlers: ReadonlyMap<string, StepHandler>
  readonly limits: readonly PlacedLimit[]
  readonly callbacks: readonly CallbackRow[]
}

type AnyHandler = (context: never) => unknown
type HandlerArguments = readonly [AnyHandler] | readonly [WrittenOptions, AnyHandler]

/** The class keeps at run time what the interface Pipeline says to the compiler. */
export class BuiltPipeline implements PipelineDefinition {
  readonly [brand] = true
  readonly slug: string
  readonly inputSchema: Schema | undefined
  readonly startRules: StartRules
  readonly handlers: ReadonlyMap<string, StepHandler>
  readonly limits: readonly PlacedLimit[]
  readonly callbacks: readonly CallbackRow[]
  readonly #written: Written
  #graph: Graph | undefined
  #digest: string | undefined

  constructor(written: Written) {
    this.slug = written.slug
    this.inputSchema = written.inputSchema
    this.startRules = written.startRules
    this.handlers = written.handlers
    this.limits = written.limits
    this.callbacks = written.callbacks
    this.#written = written
  }

  get graph(): Graph {
    if (this.#graph === undefined) {
      const { nodes, key, objectives, encrypt, failure } = this.#written
      const graph = {
        steps: nodes,
        key,
        ...(objectives !== undefined && { objectives }),
        ...(encrypt !== undefined && { encrypt }),
        ...failure,
      }
      checkGraph(this.slug, graph)
      if (encrypt !== undefined) checkCaches(this.slug, this.handlers)
      checkLimits(this.slug, this.limits, graph)
      this.#graph = graph
    }
    return this.#graph
  }

  get digest(): string {
    this.#digest ??= digestOf(this.graph)
    return this.#digest
  }

  step(name: string, ...rest: HandlerArguments): BuiltPipeline {
    const [options, handler] = rest.length === 2 ? rest : [{}, rest[0]]
    return this.#with('step', name, options, handler)
  }

  undo(...rest: HandlerArguments): BuiltPipeline {
    const undoes = this.#previous ?? ''
    return this.#end('undo', undoName(undoes), { undoes }, rest)
  }

  onFailure(...rest: HandlerArguments): BuiltPipeline {
    return this.#end('finally', onFailureName, { follows: 'failed' }, rest)
  }

  onSuccess(...rest: HandlerArguments): BuiltPipeline {
    return this.#end('finally', onSuccessName, { follows: 'completed' }, rest)
  }

  get #previous(): string | undefined {
    return this.#written.nodes.findLast((node) => !isEnding(node))?.name
  }

  #end(
    kind: 'undo' | 'finally',
    name: string,
    follows: Pick<StepPlace, 'undoes' | 'follows'>,
    rest: HandlerArguments,
  ): BuiltPipeline {
    const [options, handler] = rest.length === 2 ? rest : [{}, rest[0]]
    if (this.#previous === undefined) {
      throw new MillraceError(
        'steps_missing',
        `The pipeline '${this.slug}' has no step for '${name}' to follow.`,
        {
          fields: { pipeline: this.slug },
        },
      )
    }
    return this.#with(kind, name, { ...options, after: [] }, handler, undefined, follows)
  }

  map(name: string, options: WrittenOptions, handler: AnyHandler): BuiltPipeline {
    return this.#with('map', name, options, handler)
  }

  batch(name: string, options: WrittenOptions, handler: AnyHandler): BuiltPipeline {
    const kind = options.over === undefined ? 'step' : 'map'
    return this.#with(kind, name, options, handler, undefined, { isBatched: true })
  }

  sleep(name: string, time: Duration | (WrittenOptions & BroughtWritten)): BuiltPipeline {
    return this.#bring('sleep', name, typeof time === 'object' ? time : { for: time })
  }

  signal(name: string, options: WrittenOptions & BroughtWritten = {}): BuiltPipeline {
    return this.#bring('signal', name, options)
  }

  approval(name: string, options: WrittenOptions & BroughtWritten = {}): BuiltPipeline {
    return this.#bring('approval', name, options)
  }

  call(name: string, options: WrittenOptions & BroughtWritten): BuiltPipeline {
    return this.#bring('call', name, options)
  }

  http(name: string, options: WrittenOptions & BroughtWritten): BuiltPipeline {
    return this.#bring('http', name, options)
  }

  sql(name: string, options: WrittenOptions & BroughtWritten): BuiltPipeline {
    return this.#bring('sql', name, options)
  }

  #bring(kind: BroughtKind, name: string, options: WrittenOptions & BroughtWritten): BuiltPipeline {
    const { slug } = this.#written
    const {
      handler,
      readsSteps: reads,
      target,
    } = broughtStep(kind, options, (option, reason) => {
      throw new MillraceError(
        'step_option_invalid',
        `The step '${name}' of pipeline '${slug}' has ${reason}.`,
        {
          fields: { pipeline: slug, step: name, option },
        },
      )
    })
    return this.#with(kind, name, options, handler, { reads, target, options: broughtOptionNames[kind] })
  }

  #with(
    kind: StepKind,
    name: string,
    options: WrittenOptions,
    handler: AnyHandler,
    brought?: { readonly reads: boolean } & NonNullable<StepPlace['brought']>,
    place: Pick<StepPlace, 'undoes' | 'follows' | 'isBatched'> = {},
  ): BuiltPipeline {
    const { slug, shared, nodes, handlers, limits } = this.#written
    const names = new Set(handlers.keys())
    checkNewName(slug, name, names)
    const node = graphNode(kind, name, options, {
      pipeline: slug,
      shared,
      previous: this.#previous,
      ...place,
      ...(brought === undefined ? {} : { brought }),
    })
    checkNode(slug, node, names)
    checkHandler(slug, name, handler)
    return new BuiltPipeline({
      ...this.#written,
      nodes: [...nodes, node],
      limits: [
        ...limits,
        ...rulesOf(`step '${name}' of pipeline '${slug}'`, options.limit).map((rule) => ({
          rule,
          step: name,
        })),
      ],
      handlers: new Map(handlers).set(
        name,
        stepHandler(`${slug}/${name}`, options, handler, place.isBatched ? true : brought?.reads),
      ),
    })
  }
}

/** What a cache keeps is for other runs as well, and what is encrypted is for one run alone. */
function checkCaches(pipeline: string, handlers: ReadonlyMap<string, StepHandler>): void {
  const [step] = [...handlers].find(([, { cache }]) => cache !== undefined) ?? []
  if (step === undefined) return
  throw new MillraceError(
    'pipeline_option_invalid',
    `The pipeline '${pipeline}' is encrypted, and its step '${step}' has a cache, which would keep the output for other runs in the clear.`,
    { fields: { pipeline, step, option: 'encrypt' } },
  )
}

/** A rule that could count nothing apart, although it is to, is refused here. */
function checkLimits(pipeline: string, limits: readonly PlacedLimit[], { steps, encrypt }: Graph): void {
  for (const { rule, step } of limits) {
    const refuse = (problem: string) => {
      throw new MillraceError('limit_invalid', `Limit '${rule.name}' ${problem}.`, {
        fields: { name: rule.name, pipeline, step },
      })
    }
    const batched = steps.find((node) => batchOf(node) !== undefined)
    if (step === null && batched !== undefined)
      refuse(
        `would hold for step '${batched.name}' of '${pipeline}', whose tasks come in batches, and a limit counts them one by one: give it to the other steps`,
      )
    if (rule.settings.kind === 'fairness' && step !== null)
      refuse(`is on whose turn it is, which can't hold for '${step}' alone: give it to the pipeline`)
    const kind = steps.find(({ name }) => name === step)?.kind
    const place = step === null ? `all steps of '${pipeline}'` : `'${step}', which is none`
    if (asksForItem(rule) && kind !== 'map')
      refuse(`has a key from the items of a map, and holds for ${place}`)
    if (encrypt === undefined) continue
    if (asksForItem(rule)) refuse(`has a key from items that pipeline '${pipeline}' encrypts`)
    const clear = new Set(encrypt.clear.map((path) => JSON.stringify(path)))
    const hidden = inputPaths(rule).find((path) => !clear.has(JSON.stringify(path)))
    if (hidden !== undefined)
      refuse(`reads ${hidden.join('.')}, which pipeline '${pipeline}' encrypts: name it in its encrypt.clear`)
  }
}

function checkHandler(pipeline: string, step: string, handler: unknown): void {
  if (typeof handler === 'function') return
  throw new MillraceError(
    'step_option_invalid',
    `The step '${step}' of pipeline '${pipeline}' has no handler.`,
    {
      fields: { pipeline, step, option: 'handler' },
    },
  )
}

function stepHandler(
  place: string,
  { when, output, writes = false, cache }: WrittenOptions,
  handler: AnyHandler,
  reads = readsSteps(handler),
): StepHandler {
  return {
    // The worker gives each kind of step the context that its types promise.
    handler: handler as StepHandler['handler'],
    ...(when === undefined ? {} : { when: when as NonNullable<StepHandler['when']> }),
    ...(output === undefined ? {} : { outputSchema: output }),
    ...(cache === undefined ? {} : { cache: readStepCache(place, cache) }),
    readsSteps:
      reads ||
      (when !== undefined && readsSteps(when)) ||
      (typeof cache?.key === 'function' && readsSteps(cache.key)),
    writes,
  }
}
