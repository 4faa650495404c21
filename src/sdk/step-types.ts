// Owns what the compiler knows of the steps written so far: their outputs, which may be missing, and who sees whom.

import type { IfSkipped, OnError } from './outcome-options.ts'

/** One step as the compiler keeps it. */
interface StepType {
  readonly output: unknown
  /** Whether the step may be skipped, so that those after it see undefined. */
  readonly maySkip: boolean
  /** Of a map: what one item gives. */
  readonly each: unknown
  /** The names of all steps before it. */
  readonly before: string
}

export type NoSteps = Record<never, never>

/** Where a step stands, as the compiler reads it. It is apart from what the options say, so that each is inferred for itself. */
export interface Place {
  readonly input: unknown
  readonly steps: unknown
  readonly after: unknown
}

/** The same for one step. */
export interface At<Input, Steps, After> extends Place {
  readonly input: Input
  readonly steps: Steps
  readonly after: After
}

/** What the options of a step say of its outcome. */
export interface Said {
  readonly when: unknown
  readonly onErr: OnError
  readonly skipped: IfSkipped
}

/** The same for one step. */
export interface Says<When, OnErr extends OnError, Skipped extends IfSkipped> extends Said {
  readonly when: When
  readonly onErr: OnErr
  readonly skipped: Skipped
}

/** The names of the steps that a step sees by what it comes after. */
export type SeenAt<P extends Place> = UpTo<P['steps'], NamesIn<P['after']>>

/** The steps and one more; behind an infer, so that `before` is worked out here and not step within step later. */
export type WithStep<
  Steps,
  Name extends string,
  Output,
  MaySkip extends boolean,
  Before extends string,
  Each = never,
> = [Before] extends [infer Known]
  ? Steps & {
      readonly [N in Name]: {
        readonly output: Output
        readonly maySkip: MaySkip
        readonly each: Each
        readonly before: Known
      }
    }
  : never

type StepName<Steps> = keyof Steps & string

type Field<Step, Name extends keyof StepType> = Step extends { readonly [N in Name]: infer Value }
  ? Value
  : never

/** The name, or the message that says why it can't be. */
export type NewName<Steps, Name extends string> = Name extends keyof Steps
  ? `there is already a step '${Name}'`
  : Name

/** The `after`, or the message that names what is unknown. */
export type KnownAfter<Steps, After> = After extends readonly string[]
  ? [Exclude<After[number], keyof Steps>] extends [never]
    ? After
    : readonly NoSuchStep<Exclude<After[number], keyof Steps>>[]
  : After extends keyof Steps
    ? After
    : After extends string
      ? NoSuchStep<After>
      : never

/** The `over`, or the message that says why no map can run over it. */
export type KnownList<Steps, Over extends string> = Over extends keyof Steps
  ? Field<Steps[Over], 'output'> extends readonly unknown[]
    ? Over
    : `'${Over}' is not a list`
  : NoSuchStep<Over>

type NoSuchStep<Name extends string> = `there is no step '${Name}' before this one`

export type NamesIn<After> = After extends readonly string[] ? After[number] : Extract<After, string>

/** The names themselves, and all that come before them. */
export type UpTo<Steps, Name> =
  Name extends StepName<Steps> ? Name | Extract<Field<Steps[Name], 'before'>, string> : never

/** The outputs that a step sees, by name: those that may be skipped as `| undefined`. */
export type OutputsOf<Steps, Names> = [Names] extends [infer Seen]
  ? // Behind an infer, so that the compiler shows the names themselves and not this alias.
    {
      readonly [Name in Extract<keyof Steps, Seen>]: MaySkip<Steps, Name> extends true
        ? Field<Steps[Name], 'output'> | undefined
        : Field<Steps[Name], 'output'>
    }
  : never

/** What a step gives, to what undoes it; of a map, what each item gives. */
export type Undone<Steps, Name> = Name extends keyof Steps
  ? { readonly output: Field<Steps[Name], 'output'>; readonly each: Field<Steps[Name], 'each'> }
  : never

/** The names of all steps before one. */
export type Before<Steps, Name> =
  Name extends StepName<Steps> ? Extract<Field<Steps[Name], 'before'>, string> : never

export type MaySkip<Steps, Name extends keyof Steps> = Field<Steps[Name], 'maySkip'>

export type ItemOf<Steps, Over> = Over extends keyof Steps
  ? Field<Steps[Over], 'output'> extends ReadonlyArray<infer Item>
    ? NullGap<Item>
    : never
  : never

/** An item that failed in the list of a map; where it is stored, and no longer read by a handler, it is null. */
type NullGap<Item> = undefined extends Item ? Exclude<Item, undefined> | null : Item

type NullGaps<Output> =
  Output extends ReadonlyArray<infer Item> ? (undefined extends Item ? NullGap<Item>[] : Output) : Output

/** Whether all of these steps may be skipped; false where there is none. */
export type AllMaySkip<Steps, Names> = [Names] extends [never]
  ? false
  : false extends MaySkipEach<Steps, Names>
    ? false
    : true

type MaySkipEach<Steps, Names> = Names extends keyof Steps ? MaySkip<Steps, Names> : never

/** Whether one of these is so. */
export type Either<A, B, C = false, D = false> = true extends A | B | C | D ? true : false

/** What the run gives: the output of its one last step, or those of several by name; null for a skipped one. */
export type RunOutput<Steps, Last extends string> =
  IsUnion<Last> extends true
    ? { readonly [Name in Extract<keyof Steps, Last>]: LastOutput<Steps, Name> }
    : { [Name in Extract<keyof Steps, Last>]: LastOutput<Steps, Name> }[Extract<keyof Steps, Last>]

type LastOutput<Steps, Name extends keyof Steps> =
  MaySkip<Steps, Name> extends true
    ? NullGaps<Field<Steps[Name], 'output'>> | null
    : NullGaps<Field<Steps[Name], 'output'>>

type IsUnion<T, All = T> = [T] extends [never]
  ? false
  : T extends unknown
    ? [All] extends [T]
      ? false
      : true
    : never
