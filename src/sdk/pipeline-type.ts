// Owns the pipeline as the compiler sees it under the author's pen: each call, what it takes, and what it infers.
import type { Duration } from '../core/duration.ts'
import type {
  ApprovalEnd,
  ApprovalStepOptions,
  CallStepOptions,
  HttpStepOptions,
  SignalStepOptions,
  SleepOptions,
  SqlStepOptions,
} from './brought-options.ts'
import type {
  BatchContext,
  BatchItem,
  BatchMapItem,
  BatchMapOptions,
  BatchOptions,
  BatchReturned,
  EachOf,
} from './batch.ts'
import type { MapContext, StepContext, TransactionStepContext } from './context.ts'
import type { DecisionOf, SignalAnswer } from './durable.ts'
import type { EndingOptions, FailureContext, SuccessContext, UndoContext } from './ending.ts'
import type { Jsonify } from './jsonify.ts'
import type { FailAfter, IfSkipped, ListOf, OnError, SkipsOnError, WithFallback } from './outcome-options.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'
import type { Schema } from './standard-schema.ts'
import type { PipelineOutput, Startable, StartedRun } from './startable.ts'
import type { MapOptions, StepOptions } from './step-options.ts'
import type { CheckedOutput, OutputOf, Returned } from './step-outputs.ts'
import type {
  AllMaySkip,
  At,
  Before,
  Either,
  ItemOf,
  MaySkip,
  NamesIn,
  NewName,
  OutputsOf,
  Place,
  RunOutput,
  Said,
  Says,
  Undone,
  UpTo,
  WithStep,
} from './step-types.ts'

type Condition = boolean | Promise<boolean>

type HasCondition<When> = [When] extends [never] ? false : true

/** Whether the step goes with what it needs: where it says so, and all of that may be skipped. */
type SkipsWith<Steps, Names, Skipped> = Skipped extends 'skip' ? AllMaySkip<Steps, Names> : false

type ContextOf<Input, Outputs, Tx> = Tx extends true
  ? TransactionStepContext<Input, Outputs>
  : StepContext<Input, Outputs>

/** A pipeline and one step more. */
type OneStepMore<
  Slug extends string,
  Given,
  Last extends string,
  Name extends string,
  Output,
  P extends Place,
  S extends Said,
  /** Whether it may be skipped for a reason of its kind. */
  Skips extends boolean = false,
> = Pipeline<
  Slug,
  Given,
  P['input'],
  WithStep<
    P['steps'],
    Name,
    WithFallback<Output, S['onErr']>,
    Either<
      Skips,
      HasCondition<S['when']>,
      SkipsOnError<S['onErr']>,
      SkipsWith<P['steps'], NamesIn<P['after']>, S['skipped']>
    >,
    UpTo<P['steps'], NamesIn<P['after']>>
  >,
  Name,
  Exclude<Last, NamesIn<P['after']>> | Name
>

/** A pipeline and one map more, of which each item gives this. */
type OneMapMore<
  Slug extends string,
  Given,
  Last extends string,
  Name extends string,
  Each,
  P extends Place,
  Over extends string,
  S extends Said,
  Fails,
> = Pipeline<
  Slug,
  Given,
  P['input'],
  WithStep<
    P['steps'],
    Name,
    WithFallback<ListOf<Each, Fails>, S['onErr']>,
    Either<
      Over extends keyof P['steps'] ? MaySkip<P['steps'], Over> : false,
      HasCondition<S['when']>,
      SkipsOnError<S['onErr']>,
      SkipsWith<P['steps'], NamesIn<P['after']> | Over, S['skipped']>
    >,
    UpTo<P['steps'], NamesIn<P['after']> | Over>,
    Each
  >,
  Name,
  Exclude<Last, NamesIn<P['after']> | Over> | Name
>

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
    options: StepOptions<At<Input, Steps, After>, Says<When, OnErr, Skipped>, Output, Tx>,
    handler: (context: NoInfer<ContextOf<Input, OutputsOf<Steps, UpTo<Steps, NamesIn<After>>>, Tx>>) => Out,
  ): OneStepMore<
    Slug,
    Given,
    Last,
    Name,
    OutputOf<Output, Out>,
    At<Input, Steps, After>,
    Says<When, OnErr, Skipped>
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
    options: MapOptions<At<Input, Steps, After>, Says<When, OnErr, Skipped>, Over, Output, Fails>,
    handler: (
      context: NoInfer<
        MapContext<Input, OutputsOf<Steps, UpTo<Steps, NamesIn<After> | Over>>, ItemOf<Steps, Over>>
      >,
    ) => Out,
  ): OneMapMore<
    Slug,
    Given,
    Last,
    Name,
    OutputOf<Output, Out>,
    At<Input, Steps, After>,
    Over,
    Says<When, OnErr, Skipped>,
    Fails
  >

  /**
   * Adds a map whose handler gets several items at once, of this run and of others: as soon as `size` of them are ready, or what there is once the
   * oldest has waited for `within`. Each is an attempt of its own; an Error in its place fails it alone, and what is thrown fails them all.
   */
  batch<
    const Name extends string,
    const Over extends string,
    Out extends BatchReturned<Output>,
    Output extends Schema | undefined = undefined,
    Fails extends FailAfter | undefined = undefined,
    const After extends string | readonly string[] = Previous,
    When extends Condition = never,
    OnErr extends OnError = 'fail',
    Skipped extends IfSkipped = 'run',
  >(
    name: NewName<Steps, Name>,
    options: BatchMapOptions<At<Input, Steps, After>, Says<When, OnErr, Skipped>, Over, Output, Fails>,
    handler: (
      context: NoInfer<
        BatchContext<
          BatchMapItem<Input, OutputsOf<Steps, UpTo<Steps, NamesIn<After> | Over>>, ItemOf<Steps, Over>>
        >
      >,
    ) => Out,
  ): OneMapMore<
    Slug,
    Given,
    Last,
    Name,
    OutputOf<Output, EachOf<Out>>,
    At<Input, Steps, After>,
    Over,
    Says<When, OnErr, Skipped>,
    Fails
  >

  /** Adds a step whose handler gets the tasks of several runs at once, as a batch of a map gets items. */
  batch<
    const Name extends string,
    Out extends BatchReturned<Output>,
    const After extends string | readonly string[] = Previous,
    When extends Condition = never,
    Output extends Schema | undefined = undefined,
    OnErr extends OnError = 'fail',
    Skipped extends IfSkipped = 'run',
  >(
    name: NewName<Steps, Name>,
    options: BatchOptions<At<Input, Steps, After>, Says<When, OnErr, Skipped>, Output>,
    handler: (
      context: NoInfer<BatchContext<BatchItem<Input, OutputsOf<Steps, UpTo<Steps, NamesIn<After>>>>>>,
    ) => Out,
  ): OneStepMore<
    Slug,
    Given,
    Last,
    Name,
    OutputOf<Output, EachOf<Out>>,
    At<Input, Steps, After>,
    Says<When, OnErr, Skipped>
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
    time: Duration | SleepOptions<At<Input, Steps, After>, Says<When, OnErr, Skipped>>,
  ): OneStepMore<Slug, Given, Last, Name, null, At<Input, Steps, After>, Says<When, OnErr, Skipped>>

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
    options?: SignalStepOptions<At<Input, Steps, After>, Says<When, OnErr, Skipped>, Payload, Timeout>,
  ): OneStepMore<
    Slug,
    Given,
    Last,
    Name,
    SignalAnswer<Payload, Timeout>,
    At<Input, Steps, After>,
    Says<When, OnErr, Skipped>
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
    options?: ApprovalStepOptions<
      At<Input, Steps, After>,
      Says<When, OnErr, Skipped>,
      Form,
      Otherwise,
      Rejected
    >,
  ): OneStepMore<
    Slug,
    Given,
    Last,
    Name,
    DecisionOf<Form>,
    At<Input, Steps, After>,
    Says<When, OnErr, Skipped>,
    'skip' extends Otherwise | Rejected ? true : false
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
    options: CallStepOptions<At<Input, Steps, After>, Says<When, OnErr, Skipped>, P, Detached>,
  ): OneStepMore<
    Slug,
    Given,
    Last,
    Name,
    Detached extends true ? StartedRun : PipelineOutput<P>,
    At<Input, Steps, After>,
    Says<When, OnErr, Skipped>
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
    options: HttpStepOptions<At<Input, Steps, After>, Says<When, OnErr, Skipped>, Output>,
  ): OneStepMore<
    Slug,
    Given,
    Last,
    Name,
    CheckedOutput<Output>,
    At<Input, Steps, After>,
    Says<When, OnErr, Skipped>
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
    options: SqlStepOptions<At<Input, Steps, After>, Says<When, OnErr, Skipped>, Output>,
  ): OneStepMore<
    Slug,
    Given,
    Last,
    Name,
    CheckedOutput<Output>,
    At<Input, Steps, After>,
    Says<When, OnErr, Skipped>
  >
}
