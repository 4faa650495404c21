// Owns pipeline(): the builder in which authors write a pipeline, and the definition that client and worker read.
import { digestOf } from '../core/digest.ts'
import { MillraceError } from '../core/errors.ts'
import {
  checkGraph,
  checkNewName,
  checkNode,
  type Graph,
  type GraphNode,
  isName,
  type StepKind,
} from '../core/graph.ts'
import { type KeyOption, keyPaths } from '../core/key-path.ts'
import type {
  HandlerContext,
  MapContext,
  StepContext,
  StepOutputs,
  TransactionStepContext,
  WhenContext,
} from './context.ts'
import type { Jsonify } from './jsonify.ts'
import { isSchema, type Schema, type SchemaInput, type SchemaOutput } from './standard-schema.ts'
import {
  graphNode,
  type MapOptions,
  type SharedOptions,
  type StepOptions,
  type WrittenOptions,
} from './step-options.ts'
import type {
  ItemOf,
  MaySkip,
  NamesIn,
  NewName,
  NoSteps,
  OutputsOf,
  RunOutput,
  UpTo,
  WithStep,
} from './step-types.ts'
import { readsSteps } from './steps-read.ts'

const brand = Symbol.for('millrace.pipeline')

/** What a worker runs for one step. */
export interface StepHandler {
  readonly handler: (context: HandlerContext) => unknown
  readonly when?: (context: WhenContext<unknown, StepOutputs>) => unknown
  readonly outputSchema?: Schema
  /** False where neither handler nor condition can reach `steps`, so that no output need be fetched. */
  readonly readsSteps: boolean
}

/** A pipeline as client and worker read it. */
export interface PipelineDefinition {
  readonly [brand]: true
  readonly slug: string
  /** As it is stored; reading it checks it. */
  readonly graph: Graph
  /** The sha256 of the graph: what tells one version from another. */
  readonly digest: string
  readonly inputSchema: Schema | undefined
  readonly handlers: ReadonlyMap<string, StepHandler>
}

/** What a start of the pipeline takes. */
export type PipelineInput<P> = P extends { readonly $input: infer Input } ? Input : unknown

/** What a run of the pipeline gives. */
export type PipelineOutput<P> = P extends { readonly $output: infer Output } ? Output : unknown

export interface PipelineOptions<InputSchema extends Schema | undefined> extends SharedOptions {
  /** Checks the input of each start: any Standard Schema. Without one the input is null. */
  readonly input?: InputSchema
  /** The run key, of which one run may be live: a path into the input, a list of paths, or a function that picks them. */
  readonly key?: KeyOption<ReadInput<InputSchema>>
}

type ReadInput<S extends Schema | undefined> = S extends Schema ? Jsonify<SchemaOutput<S>> : null
type GivenInput<S extends Schema | undefined> = S extends Schema ? SchemaInput<S> : null | undefined

/**
 * What a handler may return: anything, or what the schema of its output takes. Literals are widened: the compiler reads
 * `{ kind: 'a' }` as a text before it knows the schema, and the schema itself checks the value at run time.
 */
type Returned<Output extends Schema | undefined> = Output extends Schema
  ? Widened<SchemaInput<Output>> | Promise<Widened<SchemaInput<Output>>>
  : unknown

type Widened<T> = T extends string
  ? string
  : T extends number
    ? number
    : T extends boolean
      ? boolean
      : T extends object
        ? { [Name in keyof T]: Widened<T[Name]> }
        : T

type OutputOf<Output extends Schema | undefined, Out> = Jsonify<
  Output extends Schema ? SchemaOutput<Output> : Awaited<Out>
>

type Condition = boolean | Promise<boolean>

type HasCondition<When> = [When] extends [never] ? false : true

type ContextOf<Input, Outputs, Tx> = Tx extends true
  ? TransactionStepContext<Input, Outputs>
  : StepContext<Input, Outputs>

/** A pipeline under the author's pen. Each call returns a new one, so that what was written stays as it is. */
export interface Pipeline<
  Slug extends string,
  Given,
  Input,
  Steps,
  Previous extends string,
  Last extends string,
> extends PipelineDefinition {
  readonly slug: Slug
  /** For types only: what a start takes. */
  readonly $input: Given
  /** For types only: what a run gives. */
  readonly $output: RunOutput<Steps, Last>

  /** Adds a step after the one written before it. */
  step<const Name extends string, Out>(
    name: NewName<Steps, Name>,
    handler: (context: NoInfer<StepContext<Input, OutputsOf<Steps, UpTo<Steps, Previous>>>>) => Out,
  ): Pipeline<
    Slug,
    Given,
    Input,
    WithStep<Steps, Name, Jsonify<Awaited<Out>>, false, UpTo<Steps, Previous>>,
    Name,
    Exclude<Last, Previous> | Name
  >

  /** Adds a step. */
  step<
    const Name extends string,
    Out extends Returned<Output>,
    const After extends string | readonly string[] = Previous,
    When extends Condition = never,
    Output extends Schema | undefined = undefined,
    Tx extends boolean = false,
  >(
    name: NewName<Steps, Name>,
    options: StepOptions<Input, Steps, After, When, Output, Tx>,
    handler: (context: NoInfer<ContextOf<Input, OutputsOf<Steps, UpTo<Steps, NamesIn<After>>>, Tx>>) => Out,
  ): Pipeline<
    Slug,
    Given,
    Input,
    WithStep<Steps, Name, OutputOf<Output, Out>, HasCondition<When>, UpTo<Steps, NamesIn<After>>>,
    Name,
    Exclude<Last, NamesIn<After>> | Name
  >

  /** Adds a map: one task an item of the list that a step before it gives. */
  map<
    const Name extends string,
    Out extends Returned<Output>,
    const Over extends string,
    const After extends string | readonly string[] = Previous,
    When extends Condition = never,
    Output extends Schema | undefined = undefined,
  >(
    name: NewName<Steps, Name>,
    options: MapOptions<Input, Steps, Over, After, When, Output>,
    handler: (
      context: NoInfer<
        MapContext<Input, OutputsOf<Steps, UpTo<Steps, NamesIn<After> | Over>>, ItemOf<Steps, Over>>
      >,
    ) => Out,
  ): Pipeline<
    Slug,
    Given,
    Input,
    WithStep<
      Steps,
      Name,
      OutputOf<Output, Out>[],
      Over extends keyof Steps ? (MaySkip<Steps, Over> extends true ? true : HasCondition<When>) : false,
      UpTo<Steps, NamesIn<After> | Over>
    >,
    Name,
    Exclude<Last, NamesIn<After> | Over> | Name
  >
}

/**
 * Begins a pipeline; its steps follow with .step() and .map().
 * @throws MillraceError `pipeline_name_invalid`, `key_not_a_path`, and `step_…` from the calls that follow
 */
export function pipeline<const Slug extends string, InputSchema extends Schema | undefined = undefined>(
  slug: Slug,
  options: PipelineOptions<InputSchema> = {},
): Pipeline<Slug, GivenInput<InputSchema>, ReadInput<InputSchema>, NoSteps, never, never> {
  if (!isName(slug)) {
    throw new MillraceError(
      'pipeline_name_invalid',
      `'${String(slug).slice(0, 100)}' names no pipeline: a name is a small letter, then small letters, digits and hyphens, at most 63 in all.`,
      { fields: { pipeline: slug } },
    )
  }
  checkOptions(slug, options)
  const { input, key, ...shared } = options
  const built = new BuiltPipeline({
    slug,
    shared,
    key: keyPaths(slug, key),
    inputSchema: input,
    nodes: [],
    handlers: new Map(),
  })
  // The class keeps at run time what the interface says to the compiler; $input and $output are there for it alone.
  return built as unknown as ReturnType<typeof pipeline<Slug, InputSchema>>
}

const optionNames: readonly string[] = ['input', 'key', 'queue', 'retry', 'timeout']

function checkOptions(slug: string, options: PipelineOptions<Schema | undefined>): void {
  const unknown = Object.keys(options).find((option) => !optionNames.includes(option))
  if (unknown !== undefined) {
    throw new MillraceError(
      'pipeline_option_invalid',
      `The pipeline '${slug}' has an option '${unknown}', which a pipeline does not know: it knows ${optionNames.join(', ')}.`,
      { fields: { pipeline: slug, option: unknown } },
    )
  }
  if (options.input === undefined || isSchema(options.input)) return
  throw new MillraceError(
    'pipeline_option_invalid',
    `The input of pipeline '${slug}' is no schema: give one of zod, valibot, arktype or another Standard Schema.`,
    { fields: { pipeline: slug, option: 'input' } },
  )
}

/** Whether a value is a pipeline, also one made by another copy of this package. */
export function isPipeline(value: unknown): value is PipelineDefinition {
  return typeof value === 'object' && value !== null && Reflect.get(value, brand) === true
}

interface Written {
  readonly slug: string
  readonly shared: SharedOptions
  readonly key: Graph['key']
  readonly inputSchema: Schema | undefined
  readonly nodes: readonly GraphNode[]
  readonly handlers: ReadonlyMap<string, StepHandler>
}

type AnyHandler = (context: never) => unknown

class BuiltPipeline implements PipelineDefinition {
  readonly [brand] = true
  readonly slug: string
  readonly inputSchema: Schema | undefined
  readonly handlers: ReadonlyMap<string, StepHandler>
  readonly #written: Written
  #graph: Graph | undefined
  #digest: string | undefined

  constructor(written: Written) {
    this.slug = written.slug
    this.inputSchema = written.inputSchema
    this.handlers = written.handlers
    this.#written = written
  }

  get graph(): Graph {
    if (this.#graph === undefined) {
      const graph = { steps: this.#written.nodes, key: this.#written.key }
      checkGraph(this.slug, graph)
      this.#graph = graph
    }
    return this.#graph
  }

  get digest(): string {
    this.#digest ??= digestOf(this.graph)
    return this.#digest
  }

  step(name: string, ...rest: readonly [AnyHandler] | readonly [WrittenOptions, AnyHandler]): BuiltPipeline {
    const [options, handler] = rest.length === 2 ? rest : [{}, rest[0]]
    return this.#with('step', name, options, handler)
  }

  map(name: string, options: WrittenOptions, handler: AnyHandler): BuiltPipeline {
    return this.#with('map', name, options, handler)
  }

  #with(kind: StepKind, name: string, options: WrittenOptions, handler: AnyHandler): BuiltPipeline {
    const { slug, shared, nodes, handlers } = this.#written
    const names = new Set(handlers.keys())
    checkNewName(slug, name, names)
    const node = graphNode(kind, name, options, { pipeline: slug, shared, previous: nodes.at(-1)?.name })
    checkNode(slug, node, names)
    checkHandler(slug, name, handler)
    return new BuiltPipeline({
      ...this.#written,
      nodes: [...nodes, node],
      handlers: new Map(handlers).set(name, stepHandler(options, handler)),
    })
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

function stepHandler({ when, output }: WrittenOptions, handler: AnyHandler): StepHandler {
  return {
    // The worker gives each kind of step the context that its types promise.
    handler: handler as StepHandler['handler'],
    ...(when === undefined ? {} : { when: when as NonNullable<StepHandler['when']> }),
    ...(output === undefined ? {} : { outputSchema: output }),
    readsSteps: readsSteps(handler) || (when !== undefined && readsSteps(when)),
  }
}
