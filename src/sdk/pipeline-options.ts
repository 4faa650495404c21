// Owns the options of a pipeline: as authors write them, and what they say of its input.
import type { Duration } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import type { Graph } from '../core/graph.ts'
import { type KeyOption, keyPaths } from '../core/key-path.ts'
import type { Objective } from '../core/objectives.ts'
import type { CallbackOptions } from './callback.ts'
import type { Jsonify } from './jsonify.ts'
import type { Limit } from './limit.ts'
import type { RetryAllowanceOptions } from './retry-policy.ts'
import { type StartRuleOptions, startRuleNames } from './start-rules.ts'
import { isSchema, type Schema, type SchemaInput, type SchemaOutput } from './standard-schema.ts'
import type { SharedOptions } from './step-options.ts'

export interface PipelineOptions<InputSchema extends Schema | undefined>
  extends SharedOptions,
    StartRuleOptions<ReadInput<InputSchema>> {
  /** Checks the input of each start: any Standard Schema. Without one the input is null. */
  readonly input?: InputSchema
  /** The run key, of which one run may be live: a path into the input, a list of paths, or a function that picks them. */
  readonly key?: KeyOption<ReadInput<InputSchema>>
  /** Ranges in which a metric, or a number of the output, is expected to lie; the account says which were met. */
  readonly objectives?: Readonly<Record<string, Objective>>
  /**
   * Inputs, outputs, results of durable operations, error messages, fields of log lines and parts of streams are encrypted before they leave the
   * process. What makes the run key stays in the clear, and so does what `clear` names: SQL reads it for limits and splits.
   */
  readonly encrypt?: boolean | { readonly clear: KeyOption<ReadInput<InputSchema>> }
  /** Rules on how many tasks may run at once or begin in a time, which hold for all steps; see limit(). */
  readonly limits?: readonly Limit[]
  /** How many retries all its steps together have in a length of time; without it only their retry policies count. */
  readonly retryAllowance?: RetryAllowanceOptions
  /** After so many failed runs in a row starts of their run key are refused, and of a pipeline without one all, until somebody resumes it. */
  readonly pauseAfter?: number
  /**
   * For each such time that a task of it is ready and nobody begins it, it counts as one level more urgent, up to 1, the first. Off unless told: then
   * what is less urgent waits for as long as there is something more urgent.
   */
  readonly ageing?: Duration
  /** Who is told of the end of each of its runs, signed by Standard Webhooks; a start may name others. */
  readonly callback?: CallbackOptions | readonly CallbackOptions[]
}

/** What a handler reads of the input. */
export type ReadInput<S extends Schema | undefined> = S extends Schema ? Jsonify<SchemaOutput<S>> : null
/** What a start takes. */
export type GivenInput<S extends Schema | undefined> = S extends Schema ? SchemaInput<S> : null | undefined

const optionNames: readonly string[] = [
  'ageing',
  'callback',
  'encrypt',
  'input',
  'key',
  'limits',
  'objectives',
  'pauseAfter',
  'queue',
  'retry',
  'retryAllowance',
  'timeout',
  ...startRuleNames,
]

/** @throws MillraceError `pipeline_option_invalid` */
export function checkOptions(slug: string, options: PipelineOptions<Schema | undefined>): void {
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

/** The paths into the input that stay in the clear; undefined where all of it does. @throws MillraceError pipeline_option_invalid, key_not_a_path */
export function encryptionOf(
  slug: string,
  encrypt: PipelineOptions<undefined>['encrypt'],
  key: Graph['key'],
): Graph['encrypt'] {
  if (encrypt === undefined || encrypt === false) return undefined
  if (encrypt !== true && (typeof encrypt !== 'object' || encrypt === null)) {
    throw new MillraceError(
      'pipeline_option_invalid',
      `The pipeline '${slug}' has an encrypt that is neither true nor an object with clear.`,
      { fields: { pipeline: slug, option: 'encrypt' } },
    )
  }
  const more = encrypt === true ? [] : keyPaths(slug, encrypt.clear)
  const paths = new Map([...key, ...more].map((path) => [JSON.stringify(path), path]))
  return { clear: [...paths.values()] }
}
