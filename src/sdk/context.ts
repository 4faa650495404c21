// Owns what a handler is given: the types of its context, for each kind of step.
import type { PoolClient } from 'pg'
import type { Duration } from '../core/duration.ts'
import type { Artifacts } from './artifacts.ts'
import type { Cache } from './cache.ts'
import type { Durable } from './durable.ts'
import type { Lock } from './locks.ts'
import type { Reporting } from './reporting.ts'

/** The run that a step belongs to. */
export interface RunInfo {
  readonly id: string
  readonly pipeline: string
  readonly version: number
  /** The run key, or null where the pipeline declares none. */
  readonly key: string | null
  readonly tenant: string | null
  /** Carried along from the start, never interpreted. */
  readonly headers: Readonly<Record<string, string>>
  readonly startedAt: Date
}

/** Runs a query with each value as a parameter, and gives its rows. */
export type Sql = <Row = Record<string, unknown>>(
  text: TemplateStringsArray,
  ...values: readonly unknown[]
) => Promise<Row[]>

/** The driver's client inside the step's transaction; Drizzle and Kysely can wrap it. Only the worker ends it. */
export type TransactionClient = PoolClient

/** What the condition of a step may look at. */
export interface WhenContext<Input, Steps> {
  /** The run's input in its JSON form. */
  readonly input: Input
  /** The outputs of the steps before this one; undefined where one was skipped. */
  readonly steps: Steps
  readonly run: RunInfo
}

interface AttemptContext<Input, Steps> extends WhenContext<Input, Steps>, Reporting {
  /** The name of this step. */
  readonly step: string
  /** Which try at the step this is, from 1. */
  readonly attempt: number
  /** The same for every attempt at this step: hand it to whatever you call outside. */
  readonly idempotencyKey: string
  /** Fires when the attempt ran into its timeout, lost its lease, or its run was cancelled. */
  readonly abort: AbortSignal
  /** In a step marked `tx`, inside the step's transaction. Elsewhere it reads; it writes where the step says that it `writes`. */
  readonly sql: Sql
  /** A named lock across all workers. */
  readonly lock: Lock
  /**
   * Holds the limits of this step, for all workers, as one does who was answered 429: nothing under the same keys begins until the time has passed.
   * Without a name, all limits of concurrency and rate that hold for the step. The attempt itself goes on.
   *
   * @throws MillraceError step_not_limited, duration_invalid
   */
  readonly backOff: (time: Duration, limit?: string) => Promise<void>
  /** What is larger than a value. Shown once it is written, whatever then becomes of the attempt. */
  readonly artifacts: Artifacts
  /**
   * The value of a secret, once the read of it is on record. Wherever it turns up in what this process stores or logs afterwards, `[secret name]`
   * stands in its place.
   *
   * @throws MillraceError secret_unknown, secret_unavailable, encryption_key_missing
   */
  readonly secret: (name: string) => Promise<string>
  /** Writes a line into the run's account. Of lines that come faster than they can be stored some are dropped; a line says how many. */
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void
}

export interface StepContext<Input, Steps> extends AttemptContext<Input, Steps> {
  /** What outlives the process: functions run once, sleeps, signals, approvals, calls of other pipelines. */
  readonly durable: Durable
  /** Values that are computed once for all runs that ask. */
  readonly cache: Cache
}

/** A transaction can't be held open while a step waits, so there is no `durable` in it; what it computes may be rolled back, so there is no `cache`. */
export interface TransactionStepContext<Input, Steps> extends AttemptContext<Input, Steps> {
  readonly tx: TransactionClient
}

export interface MapContext<Input, Steps, Item> extends StepContext<Input, Steps> {
  readonly item: Item
  /** Where the item stands in its list, from 0. */
  readonly index: number
}

export type StepOutputs = Readonly<Record<string, unknown>>

/** The context as the worker makes it: with `tx` in a step marked so, with `item` and `index` in a map. */
export interface HandlerContext extends StepContext<unknown, StepOutputs> {
  readonly tx?: TransactionClient
  readonly item?: unknown
  readonly index?: number
  /** In a batch: what it is given in the place of the rest. */
  readonly items?: readonly HandlerContext[]
  /** In a step that undoes another one: what that gave. */
  readonly output?: unknown
  readonly outcome?: string
  readonly error?: unknown
}
