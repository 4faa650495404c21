// Owns what a handler is given: the types of its context, for each kind of step.
import type { Client } from 'pg'
import type { Durable } from './durable.ts'
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
export type TransactionClient = Client

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
  /** In a step marked `tx`, inside the step's transaction. */
  readonly sql: Sql
  /** Writes a line into the run's account. Of lines that come faster than they can be stored some are dropped; a line says how many. */
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void
}

export interface StepContext<Input, Steps> extends AttemptContext<Input, Steps> {
  /** What outlives the process: functions run once, sleeps, signals, approvals, calls of other pipelines. */
  readonly durable: Durable
}

/** A transaction can't be held open while a step waits, so there is no `durable` in it. */
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
  /** In a step that undoes another one: what that gave. */
  readonly output?: unknown
  readonly outcome?: string
  readonly error?: unknown
}
