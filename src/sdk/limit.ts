// Owns limits as authors write them: limit(), what it may be told, and the settings that it becomes.
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import { isName } from '../core/graph.ts'
import { type KeyOption, keyPaths } from '../core/key-path.ts'
import type { LimitSettings } from '../db/limits.ts'

/** An input of which only the names are asked. */
export interface AnyInput {
  readonly [name: string]: AnyInput
}

/** What a key is read from. */
export interface LimitScope<Input> {
  readonly input: Input
  /** Of a map: the item of the task. */
  readonly item: AnyInput
  readonly tenant: string
}

interface KeyedOptions<Input> {
  /**
   * What is counted apart: a path into the input, `$tenant`, `$item.host`, a list of these, or a function that only picks them,
   * `({ input, tenant }) => [tenant, input.account]`. Without a key all count together.
   */
  readonly key?: KeyOption<LimitScope<Input>>
}

export interface ConcurrencyOptions<Input> extends KeyedOptions<Input> {
  /** How many tasks may run at once, by key. */
  readonly concurrency: number
  /**
   * What becomes of a task for which there is no room: it waits; or its run is cancelled; or, with 'cancel oldest', that of the one which has had
   * its slot for the longest time. 'wait' unless told.
   */
  readonly strategy?: 'wait' | 'reject newest' | 'cancel oldest'
  /**
   * With a concurrency of 1: the tasks of a key begin in the strict order in which they became ready. One that failed keeps its place until it has
   * ended ('block'), or others pass it while it waits for its next try ('pass').
   */
  readonly fifo?: 'block' | 'pass'
}

export interface RateOptions<Input> extends KeyedOptions<Input> {
  /** How many units may begin in a time, evenly: '100/1m', or { units: 100, per: '1m' }. */
  readonly rate: `${number}/${Duration}` | { readonly units: number; readonly per: Duration }
  /** How many units may begin at once after a rest; 1 unless told. */
  readonly burst?: number
  /** How many units a task takes, where it is not one: a path to a number, as for a key. */
  readonly units?: string | ((scope: LimitScope<Input>) => unknown)
}

export interface BreakerOptions<Input> extends KeyedOptions<Input> {
  readonly breaker: {
    /** After so many failures within a time nothing begins any more. */
    readonly failures: number
    readonly within: Duration
    /** After so long one task probes: where it completes, all go on. */
    readonly cooldown: Duration
  }
}

export interface FairnessOptions<Input> extends Required<KeyedOptions<Input>> {
  /** The keys take turns: nobody's thousands of tasks keep the others waiting. */
  readonly fairness: {
    /** How many tasks a key begins each turn, by its value: from 1 to 1,000. */
    readonly weights?: Readonly<Record<string, number>>
    /** Of keys that are not named there; 1 unless told. */
    readonly defaultWeight?: number
  }
}

export type LimitOptions<Input = AnyInput> =
  | ConcurrencyOptions<Input>
  | RateOptions<Input>
  | BreakerOptions<Input>
  | FairnessOptions<Input>

const brand = Symbol.for('millrace.limit')

/** A rule; the same one, given to several pipelines and steps, counts all of them together. */
export interface Limit {
  readonly [brand]: true
  readonly name: string
  readonly settings: LimitSettings
}

type Path = readonly string[]

/**
 * A rule on how many tasks may run at once, begin in a time, or go on where others fail, or on whose turn it is. It holds for the pipelines that have it among their `limits`,
 * and for the steps that have it as their `limit`.
 *
 * @throws MillraceError limit_invalid, duration_invalid
 */
export function limit<Input = AnyInput>(name: string, options: LimitOptions<Input>): Limit {
  if (!isName(name))
    throw invalid(
      String(name),
      'is no name: a small letter, then small letters, digits and hyphens, at most 63 in all',
    )
  const settings = settingsOf(name, options)
  return Object.freeze({ [brand]: true as const, name, settings })
}

/** Whether a value is a rule, also one made by another copy of this package. */
export function isLimit(value: unknown): value is Limit {
  return typeof value === 'object' && value !== null && Reflect.get(value, brand) === true
}

/** Whether a task that is no item of a map has no key of its own under the rule. */
export function asksForItem({ settings: { key = [], units_path: units } }: Limit): boolean {
  return [...key, ...(units === undefined ? [] : [units])].some(([first]) => first === '$item')
}

/** The paths into the input that SQL reads for a rule. */
export function inputPaths({ settings: { key = [], units_path: units } }: Limit): Path[] {
  return [...key, ...(units === undefined ? [] : [units])].filter(
    ([first]) => first?.startsWith('$') !== true,
  )
}

const kinds = {
  concurrency: ['concurrency', 'strategy', 'fifo', 'key'],
  rate: ['rate', 'burst', 'units', 'key'],
  breaker: ['breaker', 'key'],
  fairness: ['fairness', 'key'],
} as const

const strategies = {
  wait: 'wait',
  'reject newest': 'reject_newest',
  'cancel oldest': 'cancel_oldest',
} as const

function settingsOf(name: string, options: LimitOptions<never>): LimitSettings {
  const given = (Object.keys(kinds) as (keyof typeof kinds)[]).filter((kind) => kind in options)
  const [kind, ...others] = given
  if (kind === undefined || others.length > 0)
    throw invalid(name, 'has not exactly one of concurrency, rate, breaker and fairness')
  const known: readonly string[] = kinds[kind]
  const unknown = Object.keys(options).find((option) => !known.includes(option))
  if (unknown !== undefined)
    throw invalid(name, `has an option '${unknown}': of kind ${kind} it knows ${known.join(', ')}`)
  const key = options.key === undefined ? {} : { key: scopePaths(name, options.key) }
  if ('concurrency' in options) return { kind: 'concurrency', ...concurrencyOf(name, options), ...key }
  if ('rate' in options) return { kind: 'rate', ...rateOf(name, options), ...key }
  if ('breaker' in options) return { kind: 'breaker', ...breakerOf(name, options.breaker), ...key }
  if (key.key === undefined || key.key.length === 0)
    throw invalid(name, 'has no key: between what would tasks take turns?')
  return { kind: 'fairness', ...fairnessOf(name, options.fairness), ...key }
}

function concurrencyOf(
  name: string,
  { concurrency, strategy = 'wait', fifo }: ConcurrencyOptions<never>,
): Omit<LimitSettings, 'kind'> {
  if (fifo !== undefined && (!['block', 'pass'].includes(fifo) || concurrency !== 1 || strategy !== 'wait'))
    throw invalid(name, "can't keep the order: fifo is 'block' or 'pass', with a concurrency of 1 that waits")
  if (!Object.hasOwn(strategies, strategy))
    throw invalid(
      name,
      `has a strategy '${String(strategy)}': there are ${Object.keys(strategies).join(', ')}`,
    )
  return {
    capacity: wholeNumber(name, 'concurrency', concurrency, 1_000_000),
    strategy: strategies[strategy],
    ...(fifo === undefined ? {} : { fifo }),
  }
}

function rateOf(name: string, { rate, burst, units }: RateOptions<never>) {
  const read = typeof rate === 'string' ? readRate(name, rate) : rate
  if (typeof read !== 'object' || read === null)
    throw invalid(name, "has a rate that is none: write '100/1m'")
  const [path, ...more] = units === undefined ? [] : scopePaths(name, units)
  if (more.length > 0) throw invalid(name, 'has several paths to its units')
  return {
    units: wholeNumber(name, 'units of the rate', read.units, 1_000_000),
    per_ms: time(name, 'time of the rate', read.per),
    ...(burst === undefined ? {} : { burst: wholeNumber(name, 'burst', burst, 1_000_000) }),
    ...(path === undefined ? {} : { units_path: path }),
  }
}

function readRate(name: string, rate: string): { units: number; per: Duration } {
  const found = /^(\d{1,7})\/(\S+)$/.exec(rate)
  if (found === null) throw invalid(name, `has a rate '${rate.slice(0, 40)}': write it as '100/1m'`)
  return { units: Number(found[1]), per: found[2] as Duration }
}

function breakerOf(name: string, breaker: BreakerOptions<never>['breaker']) {
  if (typeof breaker !== 'object' || breaker === null)
    throw invalid(name, 'has a breaker that is no object of failures, within and cooldown')
  return {
    failures: wholeNumber(name, 'failures', breaker.failures, 1_000),
    window_ms: time(name, 'within', breaker.within),
    cooldown_ms: time(name, 'cooldown', breaker.cooldown),
  }
}

function fairnessOf(name: string, fairness: FairnessOptions<never>['fairness']): Omit<LimitSettings, 'kind'> {
  if (typeof fairness !== 'object' || fairness === null)
    throw invalid(name, 'has a fairness that is no object of weights and a defaultWeight: write {} for none')
  const { weights = {}, defaultWeight = 1 } = fairness
  const given = Object.entries(weights)
  if (given.length > 1_000) throw invalid(name, 'has more than 1,000 weights')
  return {
    weights: Object.fromEntries(
      given.map(([key, weight]) => [
        key,
        wholeNumber(name, `weight of '${key.slice(0, 100)}'`, weight, 1_000),
      ]),
    ),
    default_weight: wholeNumber(name, 'defaultWeight', defaultWeight, 1_000),
  }
}

/** The paths of a key as the database takes them: $tenant and $item lead elsewhere than into the input. */
function scopePaths(name: string, key: KeyOption<never>): Path[] {
  try {
    const paths = keyPaths(name, key)
    return typeof key === 'function'
      ? paths.map((path) => scopePath(name, path))
      : paths.map((path) => [...path])
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'key_not_a_path') throw error
    throw invalid(
      name,
      `has a key or units that can't be read in SQL: ${String(error.fields.reason)}`,
      "A key is a path like 'account.id', '$tenant' or '$item.host', a list of paths, or a function that only picks them: ({ input, tenant }) => [tenant, input.account].",
    )
  }
}

function scopePath(name: string, path: Path): Path {
  const scoped = scopedPath(path)
  if (scoped !== undefined) return scoped
  throw invalid(name, 'has a key that picks neither of the input, the item and the tenant')
}

/** What a function picked, as a path of a key; undefined where it leads elsewhere. */
export function scopedPath([scope, ...path]: Path): Path | undefined {
  if (scope === 'tenant' && path.length === 0) return ['$tenant']
  if (scope === 'item') return ['$item', ...path]
  return scope === 'input' && path.length > 0 ? path : undefined
}

function wholeNumber(name: string, what: string, value: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= most) return value
  throw invalid(name, `has a ${what} of ${String(value)}: it is a whole number from 1 to ${most}`)
}

function time(name: string, what: string, duration: Duration): number {
  const ms = durationMs(duration, `The ${what} of limit '${name}'`)
  if (ms >= 1 && ms <= 31_536_000_000) return ms
  throw invalid(name, `has a ${what} of ${String(duration)}: it is from 1ms to 365d`)
}

function invalid(name: string, problem: string, hint?: string): MillraceError {
  return new MillraceError('limit_invalid', `Limit '${name.slice(0, 100)}' ${problem}.`, {
    fields: { name },
    hint,
  })
}
