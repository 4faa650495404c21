// Owns batches as authors write them: what .batch() takes, and what its handler gets and answers.
import type { Duration } from '../core/duration.ts'
import type { KeyOption } from '../core/key-path.ts'
import type { Artifacts } from './artifacts.ts'
import type { Sql, WhenContext } from './context.ts'
import type { AnyInput, LimitScope } from './limit.ts'
import type { MapOutcomeOptions, OutcomeOptions } from './outcome-options.ts'
import type { Reporting } from './reporting.ts'
import type { Schema } from './standard-schema.ts'
import type { SharedOptions } from './step-options.ts'
import type { Returned } from './step-outputs.ts'
import type { KnownAfter, KnownList, NamesIn, OutputsOf, Place, Said, SeenAt, UpTo } from './step-types.ts'

/** One of the tasks of a batch: an attempt of its own, at the step of its own run. */
export interface BatchItem<Input, Steps> extends WhenContext<Input, Steps>, Reporting {
  /** Which try at this step of this run it is, from 1. */
  readonly attempt: number
  /** The same for every attempt at it: hand it to whatever you call outside. */
  readonly idempotencyKey: string
  /** Fires when this one lost its lease or its run was cancelled: what is answered for it then is dropped. The others go on. */
  readonly abort: AbortSignal
  readonly artifacts: Artifacts
  /** Writes a line into the account of its run. */
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void
}

export interface BatchMapItem<Input, Steps, Item> extends BatchItem<Input, Steps> {
  readonly item: Item
  /** Where the item stands in its list, from 0. */
  readonly index: number
}

/** What the handler of a batch is given. */
export interface BatchContext<Item> {
  /** At least one and at most `size`: by priority, and then first come, first served. */
  readonly items: readonly Item[]
  /** The name of this step. */
  readonly step: string
  /** Fires at the timeout, or when all items have lost their lease or their runs were cancelled. */
  readonly abort: AbortSignal
  /** Reads; it writes where the step says that it `writes`. */
  readonly sql: Sql
  /**
   * The value of a secret, once it is on record for each of the items that it was read.
   *
   * @throws MillraceError secret_unknown, secret_unavailable, encryption_key_missing
   */
  readonly secret: (name: string) => Promise<string>
  /** Writes a line into the account of each of the runs. */
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void
}

interface Bounds<Input> {
  /** How many one call of the handler gets at most, from 1 to 1,000. */
  readonly size: number
  /** After so long the oldest waits for no others: from 1 ms to 1 day. */
  readonly within: Duration
  /**
   * What never meets in one batch: a path into the input, `$tenant`, `$item.host`, a list of these, or a function that only picks them,
   * `({ input, tenant }) => [tenant, input.account]`. Without a key all go together.
   */
  readonly key?: KeyOption<LimitScope<Input>>
}

interface BatchNodeOptions<P extends Place, S extends Said, Seen, Output extends Schema | undefined>
  extends Bounds<AnyInput>,
    SharedOptions,
    OutcomeOptions<S['onErr'], S['skipped']> {
  /** The steps to wait for: a name or a list; the step written before where left out, none with []. */
  readonly after?: KnownAfter<P['steps'], P['after']>
  /** Asked for each item before the handler is called; where it says false, the step of that item is skipped. */
  readonly when?: (context: NoInfer<WhenContext<P['input'], OutputsOf<P['steps'], Seen>>>) => S['when']
  /** Checks what the handler answers, item by item. */
  readonly output?: Output
  /** Whether its `sql` may write, each statement by itself. Its writes must bear being repeated, since an attempt may be. */
  readonly writes?: boolean
}

export interface BatchOptions<P extends Place, S extends Said, Output extends Schema | undefined>
  extends BatchNodeOptions<P, S, SeenAt<P>, Output> {
  readonly over?: undefined
}

export interface BatchMapOptions<
  P extends Place,
  S extends Said,
  Over extends string,
  Output extends Schema | undefined,
  Fails,
> extends BatchNodeOptions<P, S, UpTo<P['steps'], NamesIn<P['after']> | Over>, Output>,
    MapOutcomeOptions<Fails> {
  /** The step whose list gives one task an item. */
  readonly over: KnownList<P['steps'], Over>
}

/** What the handler answers: an output for each item in their order, or an Error in the place of one that fails alone. */
export type BatchReturned<Output extends Schema | undefined> = Output extends Schema
  ? Answers<Awaited<Returned<Output>>> | Promise<Answers<Awaited<Returned<Output>>>>
  : readonly unknown[] | Promise<readonly unknown[]>

type Answers<Each> = readonly (Each | Error)[]

/** What an item gives where it didn't fail. Only an error has a stack: a value may have a name and a message as well. */
export type EachOf<Out> = Awaited<Out> extends readonly (infer Each)[] ? WithoutErrors<Each> : never

type WithoutErrors<Each> = Each extends Error ? ('stack' extends keyof Each ? never : Each) : Each
