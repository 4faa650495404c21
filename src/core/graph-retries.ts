// Owns what a version says of all its steps beyond a step's own retry policy: rules for certain errors, an allowance of retries, after how many
// failures in a row to pause, and when what waits becomes more urgent.
import type { Backoff } from './backoff.ts'
import { jitters } from './backoff.ts'
import { MillraceError } from './errors.ts'

/** What differs from the retry policy of a step for errors whose code, name or class is `error`, in which * stands for any text. */
export interface RetryRule {
  readonly error: string
  readonly max_attempts?: number
  readonly backoff?: Partial<Backoff>
}

/** How many retries a pipeline allows itself in a length of time: a share of the runs started in it, and at least so many. */
export interface RetryAllowance {
  readonly share: number
  readonly least: number
  readonly per_ms: number
  /** What becomes of a retry beyond it: it waits for its share, or its step fails. */
  readonly used_up?: 'wait' | 'fail'
}

export interface RetryFault {
  readonly option: string
  readonly found: string
}

const rulesMax = 50
const attemptsMax = 1_000
const stepMsMax = 2_073_600_000
const failuresMax = 1_000_000
const ageingMsMax = 2_592_000_000

/** The first bound that a step's rules break. */
export function retryRuleFault(rules: readonly RetryRule[]): RetryFault | undefined {
  if (rules.length > rulesMax)
    return { option: 'retry.when', found: `${rules.length} rules, where ${rulesMax} are the most` }
  for (const { error, max_attempts, backoff } of rules) {
    if (typeof error !== 'string' || error === '' || error.length > 200)
      return { option: 'retry.when', found: 'a rule without an error of 1 to 200 characters' }
    const fault = (what: string) => ({ option: 'retry.when', found: `a rule for '${error}' with ${what}` })
    if (max_attempts !== undefined && !isWithin(max_attempts, 1, attemptsMax))
      return fault(`attempts of ${max_attempts}, where they are a whole number from 1 to ${attemptsMax}`)
    const { initial_ms = 0, max_ms = 0, factor = 1, jitter = 'none' } = backoff ?? {}
    if (!isWithin(initial_ms, 0, stepMsMax) || !isWithin(max_ms, 0, stepMsMax))
      return fault('a delay of more than 24 days')
    if (!(factor >= 1 && factor <= 100)) return fault(`a factor of ${factor}, where it is from 1 to 100`)
    if (!jitters.includes(jitter))
      return fault(`a jitter of ${String(jitter)}, where it is one of ${jitters.join(', ')}`)
  }
  return undefined
}

/** @throws MillraceError pipeline_option_invalid */
export function checkFailureOptions(
  pipeline: string,
  options: {
    readonly retry_allowance?: RetryAllowance
    readonly pause_after?: number
    readonly ageing_ms?: number
  },
): void {
  const refuse = (option: string, bounds: string): never => {
    throw new MillraceError(
      'pipeline_option_invalid',
      `The pipeline '${pipeline}' has a ${option} ${bounds}.`,
      {
        fields: { pipeline, option },
      },
    )
  }
  const { retry_allowance: allowance, pause_after, ageing_ms } = options
  if (pause_after !== undefined && !isWithin(pause_after, 1, failuresMax))
    refuse('pauseAfter', 'that is no whole number from 1 to 1,000,000')
  if (ageing_ms !== undefined && !isWithin(ageing_ms, 1_000, ageingMsMax))
    refuse('ageing', 'that is not from 1s to 30d')
  if (allowance === undefined) return
  if (!(allowance.share >= 0 && allowance.share <= 100))
    refuse('retryAllowance', 'whose share is not from 0 to 100')
  if (!isWithin(allowance.least, 1, failuresMax))
    refuse('retryAllowance', 'whose least is no whole number from 1 to 1,000,000')
  if (!isWithin(allowance.per_ms, 1_000, 86_400_000))
    refuse('retryAllowance', 'whose per is not from 1s to 1d')
  if (!['wait', 'fail', undefined].includes(allowance.used_up))
    refuse('retryAllowance', 'whose usedUp is neither wait nor fail')
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}
