// Owns the retry policy as authors write it, and what stands in the graph where they write nothing.
import type { Backoff, Jitter } from '../core/backoff.ts'
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import type { RetryAllowance, RetryRule } from '../core/graph-retries.ts'
import { optionNames, unknownOption } from './unknown-option.ts'

export interface RetryOptions {
  /** How many attempts may fail before the step does; 3 unless told. */
  readonly attempts?: number
  /** The mean delay after the first failure; 30 s unless told. */
  readonly initial?: Duration
  /** By how much the mean grows with each failure; 2 unless told. */
  readonly factor?: number
  /** The longest mean delay; one hour unless told. */
  readonly max?: Duration
  /** `full` draws each delay evenly from 0 to twice its mean; `none` takes the mean. */
  readonly jitter?: Jitter
  /** What differs for certain errors: the first that fits counts. */
  readonly when?: readonly RetryWhen[]
}

/** The retry policy for certain errors; what is left out is as for all others. */
export interface RetryWhen {
  /** `timeout`, a code or name in which * stands for any text, or a class, whose name and those of what it extends are stored with the error. */
  readonly error: string | (abstract new (...args: never) => Error)
  /** How many attempts of the step may have failed, whatever they failed of, before this error fails it; 1 for none more. */
  readonly attempts?: number
  /** The same delay each time, in the place of one that grows. */
  readonly delay?: Duration
  readonly initial?: Duration
  readonly factor?: number
  readonly max?: Duration
  readonly jitter?: Jitter
}

/** How many retries a pipeline allows itself, so that what it depends on is not asked many times as often when it is broken. */
export interface RetryAllowanceOptions {
  /** Of the runs started in the length of time, how many retries are free: 0.2 is one for each five. */
  readonly share: number
  /** At least so many, however few runs there are; 10 unless told. */
  readonly least?: number
  /** The length of time; one minute unless told. */
  readonly per?: Duration
  /** A retry beyond it waits for its share, or, with `fail`, its step fails; `wait` unless told. */
  readonly usedUp?: 'wait' | 'fail'
}

export interface RetryPolicy {
  readonly max_attempts: number
  readonly backoff: Backoff
  readonly retry_rules?: readonly RetryRule[]
}

const retryOptions = optionNames<RetryOptions>({
  attempts: true,
  initial: true,
  factor: true,
  max: true,
  jitter: true,
  when: true,
})

const initialMs = 30_000
const maxMs = 3_600_000

/** The policy in its stored form. `what` names the step in an error. @throws MillraceError step_option_invalid, duration_invalid */
export function retryPolicy(options: RetryOptions, what: string): RetryPolicy {
  const unknown = unknownOption(options, retryOptions)
  if (unknown !== undefined) throw invalid('retry', `The retry of ${what} has ${unknown}.`)
  const initial_ms = durationMs(options.initial ?? initialMs, `The retry.initial of ${what}`)
  const max_ms =
    options.max === undefined
      ? Math.max(maxMs, initial_ms)
      : durationMs(options.max, `The retry.max of ${what}`)
  const rules = (options.when ?? []).map((rule) => retryRule(rule, what))
  return {
    max_attempts: options.attempts ?? 3,
    backoff: { initial_ms, factor: options.factor ?? 2, max_ms, jitter: options.jitter ?? 'full' },
    ...(rules.length > 0 && { retry_rules: rules }),
  }
}

/** The allowance in its stored form. @throws MillraceError pipeline_option_invalid, duration_invalid */
export function retryAllowance(
  { share, least = 10, per = '1m', usedUp, ...others }: RetryAllowanceOptions,
  slug: string,
): RetryAllowance {
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) {
    throw new MillraceError(
      'pipeline_option_invalid',
      `The retryAllowance of pipeline '${slug}' has an option '${unknown}': it knows share, least, per and usedUp.`,
      { fields: { pipeline: slug, option: 'retryAllowance' } },
    )
  }
  const per_ms = durationMs(per, `The retryAllowance.per of pipeline '${slug}'`)
  return { share, least, per_ms, ...(usedUp !== undefined && { used_up: usedUp }) }
}

const ruleOptions = optionNames<RetryWhen>({
  error: true,
  attempts: true,
  delay: true,
  initial: true,
  factor: true,
  max: true,
  jitter: true,
})

function retryRule(rule: RetryWhen, what: string): RetryRule {
  const unknown = unknownOption(rule, ruleOptions)
  if (unknown !== undefined || (rule.delay !== undefined && hasOwnBackoff(rule))) {
    const found = unknown ?? 'both a delay and one that grows'
    throw invalid('retry.when', `A retry.when of ${what} has ${found}.`)
  }
  const backoff = ruleBackoff(rule, what)
  return {
    error: errorName(rule.error),
    ...(rule.attempts !== undefined && { max_attempts: rule.attempts }),
    ...(Object.keys(backoff).length > 0 && { backoff }),
  }
}

function invalid(option: string, problem: string): MillraceError {
  return new MillraceError('step_option_invalid', problem, { fields: { option } })
}

function hasOwnBackoff({ initial, factor, max, jitter }: RetryWhen): boolean {
  return [initial, factor, max, jitter].some((option) => option !== undefined)
}

function ruleBackoff({ delay, initial, factor, max, jitter }: RetryWhen, what: string): Partial<Backoff> {
  if (delay !== undefined) {
    const ms = durationMs(delay, `The delay of a retry.when of ${what}`)
    return { initial_ms: ms, factor: 1, max_ms: ms, jitter: 'none' }
  }
  return {
    ...(initial !== undefined && {
      initial_ms: durationMs(initial, `The initial of a retry.when of ${what}`),
    }),
    ...(factor !== undefined && { factor }),
    ...(max !== undefined && { max_ms: durationMs(max, `The max of a retry.when of ${what}`) }),
    ...(jitter !== undefined && { jitter }),
  }
}

function errorName(error: RetryWhen['error']): string {
  if (typeof error === 'function') return error.name
  return error === 'timeout' ? 'attempt_timeout' : error
}
