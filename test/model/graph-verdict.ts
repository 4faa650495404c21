// Compares what a run did with what the model says it must do, and tells each difference in a sentence.
import { isDeepStrictEqual } from 'node:util'
import type { Cause, Forecast, StepForecast } from './graph-model.ts'

/** A handler, or the condition before it, begins or ends; in the order in which it happened. */
export interface Moment {
  readonly kind: 'begin' | 'end'
  readonly step: string
  readonly item: number
  readonly attempt: number
  /** When it begins: what it found under `steps`, and its item. */
  readonly seen?: Readonly<Record<string, unknown>>
  readonly value?: unknown
  /** What follows the outcome of its run is told of it, and given what it undoes. */
  readonly told?: { readonly outcome: unknown; readonly output: unknown; readonly error: unknown }
}

/** A handler cancels its run: how many moments there had been when it asked, and when it was answered. */
export interface Cancelling {
  readonly undo: boolean
  readonly from: number
  readonly to: number
  /** Whether that changed anything. */
  readonly answer: boolean
}

export interface Observed {
  readonly state: string
  readonly output: unknown
  readonly error: Readonly<Record<string, unknown>> | null
  readonly attempts: ReadonlyArray<{
    readonly step: string
    readonly item: number
    readonly attempt: number
    readonly outcome: string
    readonly output: unknown
    readonly error?: Readonly<Record<string, unknown>> | null
    /** Null where no attempt of a worker told it. */
    readonly worker_id?: string | null
    readonly retry_at?: Date | null
    /** How many times anything of the run had been completed before, or with it. */
    readonly rank?: number
  }>
  readonly moments: readonly Moment[]
  readonly cancellings?: readonly Cancelling[]
}

/** Empty where the run did what the model says; of one that was cancelled, as far as it came. */
export function disagreements(forecast: Forecast, observed: Observed, wasCancelled = false): string[] {
  const cause = causeOf(forecast, observed)
  return [
    ...(wasCancelled
      ? attemptFaults({ ...forecast, causes: [anyCause] }, observed, undefined)
      : [...endFaults(forecast, observed, cause), ...attemptFaults(forecast, observed, cause)]),
    ...sightFaults(forecast, observed),
    ...orderFaults(forecast, observed),
    ...concurrencyFaults(forecast, observed),
  ]
}

/** It may have cut anything short. */
const anyCause: Cause = { step: '', items: [], code: '', before: new Set() }

export const text = (value: unknown): string =>
  JSON.stringify(value, (_, part) => (part === undefined ? '?' : part))

function causeOf({ causes }: Forecast, { error }: Observed): Cause | undefined {
  return causes.find(
    ({ step, items, code }) =>
      step === error?.['step'] &&
      code === error['code'] &&
      (items.length === 0 ? error['item'] === undefined : items.includes(Number(error['item']))),
  )
}

function endFaults({ causes, output }: Forecast, observed: Observed, cause: Cause | undefined): string[] {
  const state = causes.length === 0 ? 'completed' : 'failed'
  if (observed.state !== state) return [`the run is ${observed.state}, not ${state}`]
  if (state === 'failed')
    return cause === undefined ? [`the error ${text(observed.error)} is none of ${text(causes)}`] : []
  return isDeepStrictEqual(observed.output, output)
    ? []
    : [`the output of the run is ${text(observed.output)}, not ${text(output)}`]
}

/** Each attempt must be foretold. None may be missing, unless the run failed elsewhere or the map ended early. */
function attemptFaults(
  { steps, causes }: Forecast,
  { attempts, moments }: Observed,
  cause: Cause | undefined,
): string[] {
  const faults: string[] = []
  const outcomes = grouped(
    attempts.filter((attempt) => !wasAborted(attempt)),
    ({ step, item }) => placeOf(step, item),
  )
  const tried = grouped(
    moments.filter(({ kind }) => kind === 'begin'),
    ({ step, item }) => placeOf(step, item),
  )
  for (const [name, forecast] of steps) {
    const mayBeCut = causes.length > 0 && cause?.before.has(name) !== true
    for (const ending of forecast.endings) {
      const place = placeOf(name, ending.item)
      const found = (outcomes.get(place) ?? []).map(({ outcome }) => outcome)
      const begun = (tried.get(place) ?? []).map(({ attempt }) => attempt)
      const least = mayBeCut || (forecast.endsEarlyAt !== undefined && ending.item >= 0) ? 0 : undefined
      if (!isBeginning(found, ending.outcomes, least ?? ending.outcomes.length))
        faults.push(`the outcomes of ${place} are ${text(found)}, not ${text(ending.outcomes)}`)
      const numbers = Array.from({ length: ending.tried }, (_, n) => n + 1)
      if (!isBeginning(begun, numbers, least ?? ending.tried))
        faults.push(`the attempts begun at ${place} are ${text(begun)}, not ${text(numbers)}`)
      outcomes.delete(place)
      tried.delete(place)
    }
    if (!mayBeCut) faults.push(...earlyEndFaults(forecast, attempts))
  }
  const unforetold = new Set([...outcomes.keys(), ...tried.keys()])
  return [...faults, ...[...unforetold].map((place) => `${place} was tried, and never should be`)]
}

/** The run ended, or its map did, while the attempt was under way: a transaction is rolled back then, whatever its handler gave. */
export function wasAborted({ outcome, error }: Observed['attempts'][number]): boolean {
  return outcome === 'cancelled' || error?.['code'] === 'AttemptAborted'
}

/** A map that ends early does so because enough of its items failed. */
function earlyEndFaults(
  { step, endings, endsEarlyAt }: StepForecast,
  attempts: Observed['attempts'],
): string[] {
  if (endsEarlyAt === undefined) return []
  const failed = endings.filter(
    ({ item, outcomes }) =>
      item >= 0 &&
      outcomes.at(-1) === 'failed' &&
      attempts.some(
        (attempt) =>
          attempt.step === step.name && attempt.item === item && attempt.attempt === outcomes.length,
      ),
  )
  return failed.length >= endsEarlyAt
    ? []
    : [`${step.name} ended early after ${failed.length} failed items, not ${endsEarlyAt}`]
}

/** What handlers found, and what the steps gave. */
function sightFaults({ steps }: Forecast, { moments, attempts }: Observed): string[] {
  const faults: string[] = []
  for (const { kind, step, item, seen, value } of moments) {
    const forecast = steps.get(step)
    if (kind === 'end' || forecast === undefined) continue
    if (!isDeepStrictEqual(seen, forecast.seen))
      faults.push(`${placeOf(step, item)} found ${text(seen)}, not ${text(forecast.seen)}`)
    if (item >= 0 && !isDeepStrictEqual(value, forecast.items[item]))
      faults.push(`${placeOf(step, item)} was given ${text(value)}, not ${text(forecast.items[item])}`)
  }
  for (const { step, item, outcome, output } of attempts) {
    const ending = steps.get(step)?.endings.find((one) => one.item === item)
    if (outcome !== 'completed' || ending?.output === undefined) continue
    if (ending.outcomes.length > ending.tried || isDeepStrictEqual(output, ending.output)) continue
    faults.push(`${placeOf(step, item)} gave ${text(output)}, not ${text(ending.output)}`)
  }
  return faults
}

/** An attempt begins once the one before it ended, and the first of a step once all that comes before the step is final. */
function orderFaults({ steps, before }: Forecast, { moments }: Observed): string[] {
  const ended = new Map<string, number>()
  const faults: string[] = []
  for (const { kind, step, item, attempt } of moments) {
    const place = placeOf(step, item)
    if (kind === 'end') {
      ended.set(place, attempt)
      continue
    }
    if (attempt > 1 && ended.get(place) !== attempt - 1)
      faults.push(`attempt ${attempt} at ${place} began before the one before it ended`)
    for (const name of before.get(step) ?? []) {
      const late = lateEndings(steps.get(name), ended)
      if (late.length > 0) faults.push(`${place} began before ${late.join(', ')} ended`)
    }
  }
  return faults
}

function lateEndings(forecast: StepForecast | undefined, ended: ReadonlyMap<string, number>): string[] {
  if (forecast === undefined) return []
  const { step, endings, endsEarlyAt } = forecast
  const late = endings
    .filter(({ item, tried }) => tried > 0 && ended.get(placeOf(step.name, item)) !== tried)
    .map(({ item }) => item)
  if (endsEarlyAt === undefined) return late.map((item) => placeOf(step.name, item))
  const failed = endings.filter(
    ({ item, outcomes }) => item >= 0 && outcomes.at(-1) === 'failed' && !late.includes(item),
  )
  return failed.length >= endsEarlyAt ? [] : [step.name]
}

function concurrencyFaults({ steps }: Forecast, { moments }: Observed): string[] {
  const faults: string[] = []
  for (const { step } of steps.values()) {
    if (step.concurrency === undefined) continue
    const open = new Set<number>()
    for (const { kind, item } of moments.filter((moment) => moment.step === step.name)) {
      if (kind === 'end') open.delete(item)
      else open.add(item)
      if (open.size > step.concurrency)
        faults.push(`items ${[...open].join(', ')} of ${step.name} were under way at once`)
    }
  }
  return faults
}

export const placeOf = (step: string, item: number): string => (item < 0 ? step : `${step}[${item}]`)

export function isBeginning<T>(found: readonly T[], whole: readonly T[], least: number): boolean {
  return found.length >= least && isDeepStrictEqual(found, whole.slice(0, found.length))
}

export function grouped<T>(rows: readonly T[], keyOf: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const row of rows) {
    const key = keyOf(row)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return groups
}
