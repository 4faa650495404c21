// Owns the options of a step: as authors write them, and the node of the graph that they become.
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import { type GraphNode, isBrought, type StepKind } from '../core/graph.ts'
import { batchOptionNames, nodeBatch, type WrittenBatch } from './batch-node.ts'
import type { StepCache } from './cache.ts'
import type { WhenContext } from './context.ts'
import type { Limit } from './limit.ts'
import {
  type MapOutcomeOptions,
  mapOutcomeOptionNames,
  outcomeFields,
  type OutcomeOptions,
  outcomeOptionNames,
  type WrittenOutcome,
} from './outcome-options.ts'
import { type RetryOptions, retryPolicy } from './retry-policy.ts'
import { isSchema, type Schema } from './standard-schema.ts'
import type {
  ItemOf,
  KnownAfter,
  KnownList,
  NamesIn,
  OutputsOf,
  Place,
  Said,
  SeenAt,
  UpTo,
} from './step-types.ts'

/** What a pipeline may set for all of its steps, and each step for itself. */
export interface SharedOptions {
  /** The queue on which the tasks lie; `default` unless told. */
  readonly queue?: string
  readonly retry?: RetryOptions
  /** How long one attempt may take; five minutes unless told. */
  readonly timeout?: Duration
}

/** What a step of the graph takes, and one that follows the outcome. */
export interface LimitedOptions {
  /** The rules on how many of its tasks may run at once or begin in a time, beside those of the pipeline; see limit(). */
  readonly limit?: Limit | readonly Limit[]
}

/** What every step takes, whoever brings its handler. */
export interface PlaceOptions<P extends Place, S extends Said, Seen = SeenAt<P>>
  extends SharedOptions,
    LimitedOptions,
    OutcomeOptions<S['onErr'], S['skipped']> {
  /** The steps to wait for: a name or a list; the step written before where left out, none with []. */
  readonly after?: KnownAfter<P['steps'], P['after']>
  /** Asked before the step begins; where it says false, the step is skipped. */
  readonly when?: (context: NoInfer<WhenContext<P['input'], OutputsOf<P['steps'], Seen>>>) => S['when']
}

interface NodeOptions<P extends Place, S extends Said, Seen, Output extends Schema | undefined>
  extends PlaceOptions<P, S, Seen> {
  /** Checks what the handler returns. */
  readonly output?: Output
  /** Without `tx`: whether its `sql` may write, each statement by itself. Its writes must bear being repeated, since an attempt may be. */
  readonly writes?: boolean
}

export interface StepOptions<
  P extends Place,
  S extends Said,
  Output extends Schema | undefined,
  Tx extends boolean,
> extends NodeOptions<P, S, SeenAt<P>, Output> {
  /** Whether handler, output and fence check share one transaction, so that the step's rows are written exactly once. */
  readonly tx?: Tx
  /** Keeps the output for others: where the value of its key is there, the handler doesn't run. Not with `tx`. */
  readonly cache?: StepCache<NoInfer<WhenContext<P['input'], OutputsOf<P['steps'], SeenAt<P>>>>>
}

export interface MapOptions<
  P extends Place,
  S extends Said,
  Over extends string,
  Output extends Schema | undefined,
  Fails,
> extends NodeOptions<P, S, UpTo<P['steps'], NamesIn<P['after']> | Over>, Output>,
    MapOutcomeOptions<Fails> {
  /** The step whose list gives one task an item. */
  readonly over: KnownList<P['steps'], Over>
  /** Keeps the output of an item for others: where the value of its key is there, the handler doesn't run. */
  readonly cache?: StepCache<
    NoInfer<
      WhenContext<P['input'], OutputsOf<P['steps'], UpTo<P['steps'], NamesIn<P['after']> | Over>>> & {
        readonly item: ItemOf<P['steps'], Over>
        readonly index: number
      }
    >
  >
}

/** The options as they are read, once the compiler has checked what is known of them. */
export interface WrittenOptions extends SharedOptions, LimitedOptions, WrittenOutcome, WrittenBatch {
  readonly after?: string | readonly string[]
  readonly over?: string
  readonly tx?: boolean
  readonly writes?: boolean
  readonly when?: (context: never) => unknown
  readonly output?: Schema
  readonly cache?: StepCache<never>
}

const sharedOptionNames = [
  'after',
  'limit',
  'queue',
  'retry',
  'timeout',
  'when',
  ...outcomeOptionNames,
] as const

const optionNames = {
  step: [...sharedOptionNames, 'output', 'tx', 'writes', 'cache'],
  map: [...sharedOptionNames, 'output', 'writes', 'cache', 'over', ...mapOutcomeOptionNames],
  undo: ['after', 'limit', 'queue', 'retry', 'timeout', 'tx', 'writes'],
  finally: ['after', 'limit', 'queue', 'retry', 'timeout', 'tx', 'writes'],
} as const

const batchedOptionNames = [
  ...batchOptionNames,
  ...sharedOptionNames.filter((option) => option !== 'limit'),
  'output',
  'writes',
]

const timeoutMs = 300_000

/** Where a step is written: its pipeline, the pipeline's own options, and the step before it. */
export interface StepPlace {
  readonly pipeline: string
  readonly shared: SharedOptions
  readonly previous: string | undefined
  /** Of a step that follows the outcome of the run: the step that it undoes, or the outcome. */
  readonly undoes?: string
  readonly follows?: 'completed' | 'failed'
  /** Whether one call of its handler gets several tasks. */
  readonly isBatched?: boolean
  /** Of a step whose handler Millrace brings: the options of its kind, and what it is about. */
  readonly brought?: { readonly options: readonly string[]; readonly target: string | undefined }
}

/**
 * The node of the graph for a step.
 * @throws MillraceError `step_option_invalid` for an option that the kind doesn't have, `duration_invalid`
 */
export function graphNode(
  kind: StepKind,
  name: string,
  options: WrittenOptions,
  place: StepPlace,
): GraphNode {
  const known = place.isBatched
    ? [...batchedOptionNames, ...(kind === 'map' ? ['over', ...mapOutcomeOptionNames] : [])]
    : [...(isBrought(kind) ? sharedOptionNames : optionNames[kind]), ...(place.brought?.options ?? [])]
  checkWritten(kind, name, options, place.pipeline, known)
  const what = `step '${name}' of pipeline '${place.pipeline}'`
  const node = {
    name,
    after: afterOf(options, place.previous),
    queue: options.queue ?? place.shared.queue ?? 'default',
    tx: kind === 'sql' || (options.tx ?? false),
    when: options.when !== undefined,
    ...retryPolicy({ ...place.shared.retry, ...options.retry }, what),
    timeout_ms: attemptMs(kind, options, place, `The timeout of ${what}`),
    ...outcomeFields(what, options),
  }
  const batch = place.isBatched
    ? { batch: nodeBatch(what, options, { pipeline: place.pipeline, step: name }) }
    : {}
  if (kind === 'map') return { kind, over: options.over ?? '', ...node, ...batch }
  if (kind === 'step') return { kind, ...node, ...batch }
  if (kind === 'undo') return { kind, undoes: place.undoes ?? '', ...node }
  if (kind === 'finally') return { kind, follows: place.follows ?? 'failed', ...node }
  if (!isBrought(kind) || place.brought?.target === undefined) return { kind, ...node }
  return { kind, target: place.brought.target, ...node }
}

/** How long one attempt may take. The timeout of a signal or a request is for the answer, which may come attempts later. */
function attemptMs(kind: StepKind, { timeout }: WrittenOptions, { shared }: StepPlace, what: string): number {
  const attempts = durationMs(shared.timeout ?? timeoutMs, what)
  if (timeout === undefined || kind === 'signal') return attempts
  const ms = durationMs(timeout, what)
  return kind === 'http' ? Math.min(ms, attempts) : ms
}

function afterOf({ after, over }: WrittenOptions, previous: string | undefined): string[] {
  const named = after === undefined ? previous : after
  const names = typeof named === 'string' ? [named] : (named ?? [])
  return [...new Set(over === undefined ? names : [...names, over])]
}

function checkWritten(
  kind: StepKind,
  name: string,
  options: WrittenOptions,
  pipeline: string,
  known: readonly string[],
): void {
  const refuse = (option: string, reason: string) => {
    throw new MillraceError(
      'step_option_invalid',
      `The step '${name}' of pipeline '${pipeline}' has ${reason}.`,
      {
        fields: { pipeline, step: name, option },
      },
    )
  }
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue
    const what = 'size' in options && !known.includes('tx') ? 'batch' : kind
    refuse(option, `an option '${option}', which a ${what} does not know: it knows ${known.join(', ')}`)
  }
  if (options.output !== undefined && !isSchema(options.output))
    refuse('output', 'an `output` that is no schema')
  if (options.cache !== undefined && options.tx === true)
    refuse('cache', 'a `cache` and is a transaction: with the value at hand, its rows would not be written')
  if (options.when !== undefined && typeof options.when !== 'function')
    refuse('when', 'a `when` that is no function')
}
