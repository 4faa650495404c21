// Owns the options by which an author says what becomes of a step that fails or whose needs were skipped, and their place in the graph.
import type { MapOutcome } from '../core/graph-outcomes.ts'
import { checkJson } from '../core/json.ts'
import type { Jsonify } from './jsonify.ts'

/** What becomes of a step once it has no attempt left: its run fails, it is skipped, or a value takes the place of its output. */
export type OnError = 'fail' | 'skip' | { readonly fallback: unknown }

/** Whether a step whose needs were all skipped runs all the same, and finds undefined. */
export type IfSkipped = 'run' | 'skip'

/** How many items may fail before the map does: a number, or a share of them. */
export type FailAfter = number | `${number}%`

export interface OutcomeOptions<OnErr, Skipped> {
  /** What becomes of the step once it has no attempt left; its run fails unless told otherwise. */
  readonly onError?: OnErr
  /** With 'skip' the step is skipped where all that it comes after were skipped; else it runs and finds undefined. */
  readonly ifSkipped?: Skipped
}

export interface MapOutcomeOptions<Fails> {
  /** How many items of one run may be under way at a time; all of them unless told. */
  readonly concurrency?: number
  /** How many items may fail before the map does. With it, an item that failed is undefined in the list. */
  readonly failAfter?: Fails
}

/** The output of a step, or the fallback in its place. */
export type WithFallback<Output, OnErr> = OnErr extends { readonly fallback: infer Value }
  ? Output | Jsonify<Value>
  : Output

/** Whether an error skips the step. */
export type SkipsOnError<OnErr> = 'skip' extends OnErr ? true : false

/** The list of a map's outputs; where failures are tolerated, with gaps. */
export type ListOf<Item, Fails> = [Fails] extends [undefined] ? Item[] : (Item | undefined)[]

export const outcomeOptionNames = ['onError', 'ifSkipped'] as const
export const mapOutcomeOptionNames = ['concurrency', 'failAfter'] as const

/** The options as they are read. */
export interface WrittenOutcome extends OutcomeOptions<OnError, IfSkipped>, MapOutcomeOptions<FailAfter> {}

/**
 * What the graph keeps of them: nothing where all is as it is by default, so that such a graph stays the same version.
 * @throws MillraceError json_invalid, json_too_large for a fallback that can't be stored
 */
export function outcomeFields(what: string, options: WrittenOutcome): MapOutcome {
  const { onError = 'fail', ifSkipped = 'run', concurrency, failAfter } = options
  return {
    ...(onError === 'fail' ? {} : { on_error: errorOutcome(what, onError) }),
    // What is neither is kept, and refused by the check of the graph.
    ...(ifSkipped === 'run' ? {} : { if_skipped: ifSkipped }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(failAfter === undefined ? {} : { fail_after: failAfter }),
  }
}

function errorOutcome(what: string, onError: Exclude<OnError, 'fail'>): NonNullable<MapOutcome['on_error']> {
  if (typeof onError !== 'object' || onError === null || !('fallback' in onError)) return onError
  const text = checkJson(onError.fallback, { what: `the fallback of ${what}` })
  return { fallback: JSON.parse(text) as unknown }
}
