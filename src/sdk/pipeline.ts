// Owns pipeline(): the builder in which authors write a pipeline, and the definition that client and worker read.
import { digestOf } from '../core/digest.ts'
import { MillraceError } from '../core/errors.ts'
import {
  checkGraph,
  checkNewName,
  checkNode,
  type Graph,
  type BroughtKind,
  type GraphNode,
  isEnding,
  isName,
  type StepKind,
} from '../core/graph.ts'
import { type KeyOption, keyPaths } from '../core/key-path.ts'
import { type Objective, objectiveNodes, type Objectives } from '../core/objectives.ts'
import type {
  HandlerContext,
  MapContext,
  StepContext,
  StepOutputs,
  TransactionStepContext,
  WhenContext,
} from './context.ts'
import type { DecisionOf, SignalAnswer } from './durable.ts'
import type { Duration } from '../core/duration.ts'
import type { Jsonify } from './jsonify.ts'
import type { PipelineOutput, Startable, StartablePipeline, StartedRun } from './startable.ts'
import {
  type ApprovalEnd,
  type ApprovalStepOptions,
  broughtOptionNames,
  broughtStep,
  type BroughtWritten,
  type CallStepOptions,
  type HttpStepOptions,
  type SignalStepOptions,
  type SleepOptions,
  type SqlStepOptions,
} from './step-kinds.ts'
import {
  type EndingOptions,
  type FailureContext,
  onFailureName,
  onSuccessName,
  type SuccessContext,
  type UndoContext,
  undoName,
} from './ending.ts'
import type { FailAfter, IfSkipped, ListOf, OnError, SkipsOnError, WithFallback } from './outcome-options.ts'
import { isSchema, type Schema, type SchemaInput, type SchemaOutput } from './standard-schema.ts'
import {
  graphNode,
  type MapOptions,
  type SharedOptions,
  type StepOptions,
  type StepPlace,
  type WrittenOptions,
} from './step-options.ts'
import type {
  AllMaySkip,
  Before,
  Either,
  ItemOf,
  MaySkip,
  NamesIn,
  NewName,
  NoSteps,
  OutputsOf,
  RunOutput,
  Undone,
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
export interface PipelineDefinition extends StartablePipeline {
  readonly [brand]: true
  readonly handlers: ReadonlyMap<string, StepHandler>
}

export interface PipelineOptions<InputSchema extends Schema | undefined> extends SharedOptions {
  /** Checks the input of each start: any Standard Schema. Without one the input is null. */
  readonly input?: InputSchema
  /** The run key, of which one run may be live: a path into the input, a list of paths, or a function that picks them. */
  readonly key?: KeyOption<ReadInput<InputSchema>>
  /** Ranges in which a metric, or a number of the output, is expected to lie; the account says which were met. */
  readonly objectives?: Readonly<Record<string, Objective>>
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

/** Whether the step goes with what it needs: where it says so, and all of that may be skipped. */
type SkipsWith<Steps, Names, Skipped> = Skipped extends 'skip' ? AllMaySkip<Steps, Names> : false

type ContextOf<Input, Outputs, Tx> = Tx extends true
  ? TransactionStepContext<Input, Outputs>
  : StepContext<Input, Outputs>

/** A pipeline and one step more whose handler Millrace brings. */
type WithBrought<
  Slug extends string,
  Given,
  Input,
  Steps,
  Last extends string,
  Name extends string,
  Output,
  Skips extends boolean,
  After,
  OnErr,
  Skipped,
> = Pipeline<
  Slug,
  Given,
  Input,
  WithStep<
    Steps,
    Name,
    WithFallback<Output, OnErr>,
    Either<Skips, SkipsOnError<OnErr>, SkipsWith<Steps, NamesIn<After>, Skipped>>,
    UpTo<Steps, NamesIn<After>>
  >,
  Name,
  Exclude<Last, NamesIn<After>> | Name
>

/** What a step gives whose output has a schema: what that makes of it; else nobody knows. */
type CheckedOutput<Output extends Schema | undefined> = Output extends Schema
  ? Jsonify<SchemaOutput<Output>>
  : unknown

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
    OnErr extends OnError = 'fail',
    Skipped extends IfSkipped = 'run',
  >(
    name: NewName<Steps, Name>,
    options: StepOptions<Input, Steps, After, When, Output, Tx, OnErr, Skipped>,
    handler: (context: NoInfer<ContextOf<Input, OutputsOf<Steps, UpTo<Steps, NamesIn<After>>>, Tx>>) => Out,
  ): Pipeline<
    Slug,
    Given,
    Input,
    WithStep<
      Steps,
      Name,
      WithFallback<OutputOf<Output, Out>, OnErr>,
      Either<HasCondition<When>, SkipsOnError<OnErr>, SkipsWith<Steps, NamesIn<After>, Skipped>>,
      UpTo<Steps, NamesIn<After>>
    >,
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
    OnErr extends OnError = 'fail',
    Skipped extends IfSkipped = 'run',
    Fails extends FailAfter | undefined = undefined,
  >(
    name: NewName<Steps, Name>,
    options: MapOptions<Input, Steps, Over, After, When, Output, OnErr, Skipped, Fails>,
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
      WithFallback<ListOf<OutputOf<Output, Out>, Fails>, OnErr>,
      Either<
        Over extends keyof Steps ? MaySkip<Steps, Over> : false,
        HasCondition<When>,
        SkipsOnError<OnErr>,
        SkipsWith<Steps, NamesIn<After> | Over, Skipped>
      >,
      UpTo<Steps, NamesIn<After> | Over>,
      OutputOf<Output, Out>
    >,
    Name,
    Exclude<Last, NamesIn<After> | Over> | Name
  >

  /**
   * Says how the step written last is undone, where its run fails or is cancelled with undo. What was completed is undone in reverse order; of
   * a map, each item that was. What can't be undone is told, and the rest is undone all the same.
   */
  undo(
    handler: (
      context: NoInfer<
        UndoContext<Input, OutputsOf<Steps, Before<Steps, Previous>>, Undone<Steps, Previous>, false>
      >,
    ) => unknown,
  ): Pipeline<Slug, Given, Input, Steps, Previous, Last>
  undo<Tx extends boolean = false>(
    options: EndingOptions<Tx>,
    handler: (
      context: NoInfer<
        UndoContext<Input, OutputsOf<Steps, Before<Steps, Previous>>, Undone<Steps, Previous>, Tx>
      >,
    ) => unknown,
  ): Pipeline<Slug, Given, Input, Steps, Previous, Last>

  /** Says what follows a failure, once all is undone: the run stays live until it has ended. Its own failure is told, and changes nothing. */
  onFailure(
    handler: (context: NoInfer<FailureContext<Input, OutputsOf<Steps, keyof Steps>, false>>) => unknown,
  ): Pipeline<Slug, Given, Input, Steps, Previous, Last>
  onFailure<Tx extends boolean = false>(
    options: EndingOptions<Tx>,
    handler: (context: NoInfer<FailureContext<Input, OutputsOf<Steps, keyof Steps>, Tx>>) => unknown,
  ): Pipeline<Slug, Given, Input, Steps, Previous, Last>

  /** Says what follows the last step: the run stays live until it has ended. Its own failure is told, and changes nothing. */
  onSuccess(
    handler: (context: NoInfer<SuccessContext<Input, OutputsOf<Steps, keyof Steps>, false>>) => unknown,
  ): Pipeline<Slug, Given, Input, Steps, Previous, Last>
  onSuccess<Tx extends boolean = false>(
    options: EndingOptions<Tx>,
    handler: (context: NoInfer<SuccessContext<Input, OutputsOf<Steps, keyof Steps>, Tx>>) => unknown,
  ): Pipeline<Slug, Given, Input, Steps, Previous, Last>

  /** Adds a step that waits for a time, and holds no slot meanwhile. */
  sleep<
    const Name extends string,
    const After extends string | readonly string[] = Previous,
    When extends Condition = never,
    OnErr extends OnError = 'fail',
    Skipped extends IfSkipped = 'run',
  >(
    name: NewName<Steps, Name>,
    time: Duration | SleepOptions<Input, Steps, After, When, OnErr, Skipped>,
  ): WithBrought<Slug, Given, Input, Steps, Last, Name, null, HasCondition<When>, After, OnErr, Skipped>

  /** Adds a step that waits for a signal and gives it. */
  signal<
    const Name extends string,
    const After extends string | readonly string[] = Previous,
    When extends Condition = never,
    OnErr extends OnError = 'fail',
    Skipped extends IfSkipped = 'run',
    Payload extends Schema | undefined = undefined,
    Timeout extends Duration | undefined = undefined,
  >(
    name: NewName<Steps, Name>,
    options?: SignalStepOptions<Input, Steps, After, When, OnErr, Skipped, Payload, Timeout>,
  ): WithBrought<
    Slug,
    Given,
    Input,
    Steps,
    Last,
    Name,
    SignalAnswer<Payload, Timeout>,
    HasCondition<When>,
    After,
    OnErr,
    Skipped
  >

  /** Adds a step that waits for a person's decision and gives it. A rejection fails the step unless told otherwise. */
  approval<
    const Name extends string,
    const After extends string | readonly string[] = Previous,
    When extends Condition = never,
    OnErr extends OnError = 'fail',
    Skipped extends IfSkipped = 'run',
    Form extends Schema | undefined = undefined,
    Otherwise extends ApprovalEnd = 'fail',
    Rejected extends 'fail' | 'skip' | 'continue' = 'fail',
  >(
    name: NewName<Steps, Name>,
    options?: ApprovalStepOptions<Input, Steps, After, When, OnErr, Skipped, Form, Otherwise, Rejected>,
  ): WithBrought<
    Slug,
    Given,
    Input,
    Steps,
    Last,
    Name,
    DecisionOf<Form>,
    'skip' extends Otherwise | Rejected ? true : HasCondition<When>,
    After,
    OnErr,
    Skipped
  >

  /** Adds a step that starts a run of another pipeline and gives its output; with `detached`, its id at once. */
  call<
    const Name extends string,
    P extends Startable,
    const After extends string | readonly string[] = Previous,
    When extends Condition = never,
    OnErr extends OnError = 'fail',
    Skipped extends IfSkipped = 'run',
    Detached extends boolean = false,
  >(
    name: NewName<Steps, Name>,
    options: CallStepOptions<Input, Steps, After, When, OnErr, Skipped, P, Detached>,
  ): WithBrought<
    Slug,
    Given,
    Input,
    Steps,
    Last,
    Name,
    Detached extends true ? StartedRun : PipelineOutput<P>,
    HasCondition<When>,
    After,
    OnErr,
    Skipped
  >

  /** Adds a step that posts JSON to an endpoint, which answers at once, or with 202 and later by its completion token. */
  http<
    const Name extends string,
    const After extends string | readonly string[] = Previous,
    When extends Condition = never,
    OnErr extends OnError = 'fail',
    Skipped extends IfSkipped = 'run',
    Output extends Schema | undefined = undefined,
  >(
    name: NewName<Steps, Name>,
    options: HttpStepOptions<Input, Steps, After, When, OnErr, Skipped, Output>,
  ): WithBrought<
    Slug,
    Given,
    Input,
    Steps,
    Last,
    Name,
    CheckedOutput<Output>,
    HasCondition<When>,
    After,
    OnErr,
    Skipped
  >

  /** Adds a step that runs a function of the database, from jsonb to jsonb, in a transaction of the step's own. */
  sql<
    const Name extends string,
    const After extends string | readonly string[] = Previous,
    When extends Condition = never,
    OnErr extends OnError = 'fail',
    Skipped extends IfSkipped = 'run',
    Output extends Schema | undefined = undefined,
  >(
    name: NewName<Steps, Name>,
    options: SqlStepOptions<Input, Steps, After, When, OnErr, Skipped, Output>,
  ): WithBrought<
    Slug,
    Given,
    Input,
    Steps,
    Last,
    Name,
    CheckedOutput<Output>,
    HasCondition<When>,
    After,
    OnErr,
    Skipped
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
  const { input, key, objectives, ...shared } = options
  const built = new BuiltPipeline({
    slug,
    shared,
    key: keyPaths(slug, key),
    objectives: objectives && objectiveNodes(slug, objectives),
    inputSchema: input,
    nodes: [],
    handlers: new Map(),
  })
  // The class keeps at run time what the interface says to the compiler; $input and $output are there for it alone.
  return built as unknown as ReturnType<typeof pipeline<Slug, InputSchema>>
}

const optionNames: readonly string[] = ['input', 'key', 'objectives', 'queue', 'retry', 'timeout']

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
  readonly objectives: Objectives | undefined
  readonly inputSchema: Schema | undefined
  readonly nodes: readonly GraphNode[]
  readonly handlers: ReadonlyMap<string, StepHandler>
}

type AnyHandler = (context: never) => unknown
type HandlerArguments = readonly [AnyHandler] | readonly [WrittenOptions, AnyHandler]

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
      const { nodes, key, objectives } = this.#written
      const graph = { steps: nodes, key, ...(objectives !== undefined && { objectives }) }
      checkGraph(this.slug, graph)
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
    follows: Pick<StepPlace, 'undoes' | 'follows'> = {},
  ): BuiltPipeline {
    const { slug, shared, nodes, handlers } = this.#written
    const names = new Set(handlers.keys())
    checkNewName(slug, name, names)
    const node = graphNode(kind, name, options, {
      pipeline: slug,
      shared,
      previous: this.#previous,
      ...follows,
      ...(brought === undefined ? {} : { brought }),
    })
    checkNode(slug, node, names)
    checkHandler(slug, name, handler)
    return new BuiltPipeline({
      ...this.#written,
      nodes: [...nodes, node],
      handlers: new Map(handlers).set(name, stepHandler(options, handler, brought?.reads)),
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

function stepHandler(
  { when, output }: WrittenOptions,
  handler: AnyHandler,
  reads = readsSteps(handler),
): StepHandler {
  return {
    // The worker gives each kind of step the context that its types promise.
    handler: handler as StepHandler['handler'],
    ...(when === undefined ? {} : { when: when as NonNullable<StepHandler['when']> }),
    ...(output === undefined ? {} : { outputSchema: output }),
    readsSteps: reads || (when !== undefined && readsSteps(when)),
  }
}
