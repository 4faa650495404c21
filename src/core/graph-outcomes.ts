// Owns what a step may say of its end: what becomes of it when it fails, or when what it needs was skipped, and what a map tolerates.

/** What becomes of a step once it has no attempt left: without it the run fails. */
type ErrorOutcome = 'skip' | { readonly fallback: unknown }

export interface NodeOutcome {
  readonly on_error?: ErrorOutcome
  /** It is skipped where all that it needs were skipped. */
  readonly if_skipped?: 'skip'
}

export interface MapOutcome extends NodeOutcome {
  /** How many items of one run may be under way at a time. */
  readonly concurrency?: number
  /** How many items may fail before the map does: a number, or a share such as '5%'. */
  readonly fail_after?: number | string
}

export interface OutcomeFault {
  readonly option: string
  readonly found: string
}

const mapItemsMax = 100_000

/** What a share of items looks like: at most three decimals. */
const sharePattern = /^(?:100|\d{1,2}(?:\.\d{1,3})?)%$/

/** The first rule that a step's own words on its end break. */
export function outcomeFault(
  step: MapOutcome & { readonly kind: string; readonly after: readonly string[] },
): OutcomeFault | undefined {
  const { on_error, if_skipped, concurrency, fail_after, after } = step
  if (on_error !== undefined && on_error !== 'skip' && !isFallback(on_error))
    return { option: 'onError', found: `${shown(on_error)}, where it is fail, skip or { fallback: … }` }
  if (if_skipped !== undefined && if_skipped !== 'skip')
    return { option: 'ifSkipped', found: `${shown(if_skipped)}, where it is run or skip` }
  if (if_skipped === 'skip' && after.length === 0)
    return { option: 'ifSkipped', found: 'skip, where it needs no step' }
  if (concurrency !== undefined && !isWhole(concurrency, 1))
    return {
      option: 'concurrency',
      found: `${shown(concurrency)}, where it is a whole number from 1 to 100,000`,
    }
  if (
    fail_after !== undefined &&
    !isWhole(fail_after, 0) &&
    !(typeof fail_after === 'string' && sharePattern.test(fail_after))
  )
    return {
      option: 'failAfter',
      found: `${shown(fail_after)}, where it is a whole number from 0 to 100,000 or a share such as 5%`,
    }
  return undefined
}

/** Whether a step's fallback is something that no map can go over. */
export function isUnlistable({ on_error }: NodeOutcome): boolean {
  if (!isFallback(on_error)) return false
  return !Array.isArray(on_error.fallback) || on_error.fallback.length > mapItemsMax
}

function isFallback(value: unknown): value is { readonly fallback: unknown } {
  return typeof value === 'object' && value !== null && 'fallback' in value
}

function isWhole(value: unknown, least: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= mapItemsMax
}

function shown(value: unknown): string {
  return typeof value === 'string'
    ? `'${value.slice(0, 100)}'`
    : (JSON.stringify(value)?.slice(0, 100) ?? String(value))
}
