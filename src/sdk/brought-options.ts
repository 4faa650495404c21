// Owns the options of the steps whose handler Millrace brings, as authors write them.
import type { Duration } from '../core/duration.ts'
import type { WhenContext } from './context.ts'
import type { ApprovalOptions, CallOptions, HttpRequest, SignalNames, SignalOptions } from './durable.ts'
import type { Schema } from './standard-schema.ts'
import type { PipelineInput, Startable } from './startable.ts'
import type { PlaceOptions } from './step-options.ts'
import type { OutputsOf, Place, Said, SeenAt } from './step-types.ts'

type Seen<P extends Place> = NoInfer<WhenContext<P['input'], OutputsOf<P['steps'], SeenAt<P>>>>

export type SleepOptions<P extends Place, S extends Said> = PlaceOptions<P, S> &
  (
    | { readonly for: Duration; readonly until?: never }
    | { readonly until: (context: Seen<P>) => Date | string; readonly for?: never }
  )

export type SignalStepOptions<
  P extends Place,
  S extends Said,
  Payload extends Schema | undefined,
  Timeout extends Duration | undefined,
> = PlaceOptions<P, S> &
  Omit<SignalOptions<Payload, Timeout>, 'as' | 'match'> & {
    /** The signal's name, or several; that of the step unless told. */
    readonly signal?: SignalNames
    /** What the payload must hold: an object, or a function that gives one. */
    readonly match?: object | ((context: Seen<P>) => unknown)
  }

/** What becomes of the step when nobody approves in time, or somebody rejects. */
export type ApprovalEnd = 'fail' | 'skip' | 'approve' | 'reject'

export interface ApprovalStepOptions<
  P extends Place,
  S extends Said,
  Form extends Schema | undefined,
  Otherwise extends ApprovalEnd,
  Rejected extends 'fail' | 'skip' | 'continue',
> extends PlaceOptions<P, S>,
    Omit<ApprovalOptions<Form>, 'title' | 'data' | 'otherwise'> {
  /** What is asked; the name of the step unless told. */
  readonly title?: string | ((context: Seen<P>) => string)
  /** What whoever decides should see. */
  readonly data?: (context: Seen<P>) => unknown
  /** What becomes of the step when it expires; `fail` unless told. */
  readonly otherwise?: Otherwise
  /** What becomes of the step when it is rejected: `continue` gives the decision to the steps after it. `fail` unless told. */
  readonly rejected?: Rejected
}

export interface CallStepOptions<
  P extends Place,
  S extends Said,
  Started extends Startable,
  Detached extends boolean,
> extends PlaceOptions<P, S>,
    Omit<CallOptions<Detached>, 'as'> {
  readonly pipeline: Started
  readonly input: (
    context: Seen<P>,
  ) => NoInfer<PipelineInput<Started>> | Promise<NoInfer<PipelineInput<Started>>>
}

export interface HttpStepOptions<P extends Place, S extends Said, Output extends Schema | undefined>
  extends PlaceOptions<P, S>,
    Omit<HttpRequest, 'as' | 'body' | 'timeout'> {
  /** How long the answer may take, whether it comes at once or later. */
  readonly timeout: Duration
  /** What is sent, as JSON; the input of the run unless told. */
  readonly body?: (context: Seen<P>) => unknown
  /** Checks the answer. */
  readonly output?: Output
}

export interface SqlStepOptions<P extends Place, S extends Said, Output extends Schema | undefined>
  extends PlaceOptions<P, S> {
  /** Schema and name of a function from jsonb to jsonb; the worker must be told to allow the schema. */
  readonly function: string
  /** What the function is given; the input of the run unless told. */
  readonly input?: (context: Seen<P>) => unknown
  /** Checks what the function gives. */
  readonly output?: Output
}
