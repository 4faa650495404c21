// Owns `durable`: what a handler does inside its step that outlives the process, and what each of these operations gives.
import type { Duration } from '../core/duration.ts'
import type { Jsonify } from './jsonify.ts'
import type { Schema, SchemaOutput } from './standard-schema.ts'
import type { PipelineInput, PipelineOutput, Startable, StartedRun } from './startable.ts'

/** What the function of a durable.run is given. */
export interface DurableRunContext {
  /** The same each time this function is run for the step: hand it to whatever you call outside. */
  readonly idempotencyKey: string
  /** Fires when the attempt ran into its timeout, lost its lease, or its run was cancelled. */
  readonly abort: AbortSignal
}

/** A signal as it arrived. */
export interface Signal<Payload = unknown> {
  readonly timedOut: false
  /** Which of the names it was. */
  readonly name: string
  readonly payload: Payload
  /** When it was sent, as an ISO 8601 text. */
  readonly sentAt: string
}

/** No signal came in time. */
export interface TimedOut {
  readonly timedOut: true
}

/** One name, or several of which the first to come is taken. */
export type SignalNames = string | { readonly any: readonly string[] }

export interface SignalOptions<
  Payload extends Schema | undefined = Schema | undefined,
  Timeout extends Duration | undefined = Duration | undefined,
> {
  /** How long to wait, counted from the first time the step waited for it; without it, as long as it takes. */
  readonly timeout?: Timeout
  /** `next` takes the oldest one that nobody took; `first` reads the first one ever sent and leaves it there. `next` unless told. */
  readonly take?: 'next' | 'first'
  /** Only signals whose payload holds all of this. */
  readonly match?: unknown
  /** Checks the payload. */
  readonly payload?: Payload
  /** Its name in the step, if it is to have one. */
  readonly as?: string
}

export type SignalAnswer<Payload, Timeout> =
  | Signal<Payload extends Schema ? Jsonify<SchemaOutput<Payload>> : unknown>
  | ([Timeout] extends [undefined] ? never : TimedOut)

export interface ApprovalOptions<Form extends Schema | undefined = Schema | undefined> {
  /** What is asked, in a sentence. */
  readonly title: string
  /** What whoever decides should see. */
  readonly data?: unknown
  /** Who may decide: members of these roles. */
  readonly roles?: readonly string[]
  /** Who may decide: these people. With neither, whoever may operate runs. */
  readonly people?: readonly string[]
  /** How many must approve; one unless told. A single rejection rejects. */
  readonly quorum?: number
  /** What an approval must bring along. */
  readonly form?: Form
  /** After this time without an end a reminder is written into the run's history, once. */
  readonly remind?: Duration
  /** How long it stays open; without it, until somebody decides. */
  readonly expires?: Duration
  /** What becomes of it when it expires; `fail` unless told. */
  readonly otherwise?: 'fail' | 'approve' | 'reject'
}

/** What was decided, by whom. */
export interface Decision<Value = unknown> {
  readonly state: 'approved' | 'rejected'
  readonly by: readonly string[]
  /** What the approval brought along; null where it was rejected or brought nothing. */
  readonly value: Value | null
  readonly comment: string | null
}

export type DecisionOf<Form> = Decision<Form extends Schema ? Jsonify<SchemaOutput<Form>> : unknown>

export interface CallOptions<Detached extends boolean = boolean> {
  /** Don't wait for its end, and don't cancel it with this run. */
  readonly detached?: Detached
  /** From 1, first, to 9, last; that of this run unless told. */
  readonly priority?: number
  /** Added to the headers of this run, which are passed down. */
  readonly headers?: Readonly<Record<string, string>>
  /** That of this run unless told. */
  readonly tenant?: string
  /** Its name in the step, if it is to have one. */
  readonly as?: string
}

/** One of many called runs, as it ended. */
export type CallOutcome<Output = unknown> =
  | { readonly state: 'completed'; readonly run: string; readonly output: Output }
  | {
      readonly state: 'failed' | 'cancelled'
      readonly run: string
      readonly error: { readonly code?: string; readonly message?: string } | null
    }

export interface HttpRequest {
  /** Of http or https, without a user name or a password: such go into a header. */
  readonly url: string
  /** Sent as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** The environment variable that holds the secret with which the request is signed. */
  readonly secret: string
  /** How long the answer may take, whether it comes at once or later. */
  readonly timeout: Duration
  /** Its name in the step, if it is to have one. */
  readonly as?: string
}

/**
 * Operations whose results are stored under their names: a step that is run again, after a crash or a wait, gets them from there. The one
 * rule: an operation has the same name each time. Whatever stands between two operations is done again; what must not be belongs in `run`.
 * A step that waits for nothing but sleeps, signals, approvals and called runs gives up its slot, and begins again when one is there.
 *
 * Each of them can throw `step_option_invalid`, for a name that is none, and what ends the step for good, though its handler catches it:
 * @throws MillraceError durable_full, durable_name_taken, durable_nested, replay_mismatch
 */
export interface Durable {
  /**
   * Runs the function and stores what it gives; once that is stored it is never run again. What it throws is stored once the handler has got over it,
   * and not where the handler fails from it.
   * @throws MillraceError json_invalid, json_too_large, and what the function throws
   */
  run<Out>(name: string, work: (context: DurableRunContext) => Out): Promise<Jsonify<Awaited<Out>>>
  /** Waits for a time, counted by the database's clock from the first time the step came here. @throws MillraceError duration_invalid */
  sleep(time: Duration | { readonly name: string; readonly for: Duration }): Promise<void>
  /** Waits until then, by the database's clock. @throws MillraceError duration_invalid */
  sleepUntil(time: Date | { readonly name: string; readonly until: Date }): Promise<void>
  /**
   * Waits for a signal to this run, or to its name. One that came early was kept.
   * @throws MillraceError signal_invalid, duration_invalid, json_invalid, json_too_large
   */
  signal<Payload extends Schema | undefined = undefined, Timeout extends Duration | undefined = undefined>(
    names: SignalNames,
    options?: SignalOptions<Payload, Timeout>,
  ): Promise<SignalAnswer<Payload, Timeout>>
  /**
   * Waits for a person's decision.
   * @throws MillraceError approval_expired, approval_cancelled, signal_invalid, duration_invalid, json_invalid, json_too_large
   */
  approval<Form extends Schema | undefined = undefined>(
    name: string,
    options: ApprovalOptions<Form>,
  ): Promise<DecisionOf<Form>>
  /**
   * Starts a run of another pipeline and gives its output; with `detached`, its id at once.
   * @throws MillraceError child_failed, child_refused, input_invalid, json_invalid, json_too_large
   */
  call<P extends Startable, Detached extends boolean = false>(
    pipeline: P,
    input: PipelineInput<P>,
    options?: CallOptions<Detached>,
  ): Promise<Detached extends true ? StartedRun : PipelineOutput<P>>
  /**
   * Starts a run for each input, at most 10,000, and gives how each ended, in the order of the inputs.
   * @throws MillraceError child_refused, input_invalid, json_invalid, json_too_large, too_many_starts
   */
  callMany<P extends Startable>(
    pipeline: P,
    inputs: ReadonlyArray<PipelineInput<P>>,
    options?: Omit<CallOptions<false>, 'detached'>,
  ): Promise<CallOutcome<PipelineOutput<P>>[]>
  /**
   * Posts JSON to an endpoint that answers at once, or with 202 and later, by the completion token that came with the request.
   * @throws MillraceError http_failed, http_refused, http_timeout, config_variable_missing, step_option_invalid, duration_invalid, json_invalid,
   * json_too_large
   */
  http(request: HttpRequest): Promise<unknown>
  /** The database's time when it was first asked. */
  now(): Promise<Date>
  /** A number from [0, 1), the same each time. */
  random(): Promise<number>
  /** A random UUID, the same each time. */
  uuid(): Promise<string>
  /**
   * Ends this run and begins another of the same pipeline with this input, in one transaction. Only in a pipeline's one last step.
   * @throws MillraceError continue_misplaced, input_invalid, json_invalid, json_too_large
   */
  continueAs(input: unknown): Promise<never>
}
