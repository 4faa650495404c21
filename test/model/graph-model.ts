// The model of a run in memory: what a graph must do whose steps do what a script says, worked out without database, worker or time.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

export type OnError = 'fail' | 'skip' | { readonly fallback: Json }

export interface ModelStep {
  readonly name: string
  /** Names of steps written before it. */
  readonly after: readonly string[]
  /** Of a map: the step whose list it goes over, one of `after`. */
  readonly over?: string | undefined
  readonly attempts: number
  readonly onError: OnError
  readonly ifSkipped: 'run' | 'skip'
  readonly concurrency?: number | undefined
  readonly failAfter?: number | `${number}%` | undefined
}

/** Each step comes after all that it waits for. */
export type ModelGraph = readonly ModelStep[]

/** What one attempt does; `unwanted` is a condition that says no. */
export type Act =
  | { readonly kind: 'complete'; readonly output: Json }
  | { readonly kind: 'retryable' | 'permanent' | 'unwanted' }

/** For each step, rows of acts: an item takes the row of its place, an attempt the act of its number; the last act goes on. */
export type Script = Readonly<Record<string, readonly (readonly Act[])[]>>

export function actOf(script: Script, step: string, item: number, attempt: number): Act {
  const rows = script[step] ?? []
  const acts = rows.length === 0 ? [] : rows[Math.max(item, 0) % rows.length]!
  return acts[Math.min(attempt, acts.length) - 1] ?? { kind: 'complete', output: [1] }
}

type AttemptOutcome = 'completed' | 'skipped' | 'failed'

/** How a step, or an item of a map, ends: the outcome of each attempt, and how many of them a worker tried. */
interface Ending {
  readonly item: number
  readonly outcomes: readonly AttemptOutcome[]
  readonly tried: number
  readonly output?: Json | undefined
}

export interface StepForecast {
  readonly step: ModelStep
  /** What its handler finds under `steps`: undefined for what was skipped, and in lists for what failed. */
  readonly seen: Readonly<Record<string, unknown>>
  /** The values of a map's items. */
  readonly items: readonly Json[]
  readonly endings: readonly Ending[]
  /** How many failed items end a map before the others do; those may be cut short. */
  readonly endsEarlyAt?: number
}

/** Why a run fails: the step that its error names, the items that may be named, and what must have come before. */
export interface Cause {
  readonly step: string
  readonly items: readonly number[]
  readonly code: string
  readonly before: ReadonlySet<string>
}

export interface Forecast {
  /** Steps that no run ever comes to are missing. */
  readonly steps: ReadonlyMap<string, StepForecast>
  /** Any one of these fails the run; without one it completes. */
  readonly causes: readonly Cause[]
  readonly output: Json
  /** What must have ended before a step begins, as far as it is ever tried. */
  readonly before: ReadonlyMap<string, ReadonlySet<string>>
}

/** The rules in which graphs are easily got wrong, so that a test can break one. */
export interface Rules {
  readonly needs: (step: ModelStep) => readonly string[]
  readonly attempts: (step: ModelStep) => number
  readonly tolerated: (step: ModelStep, items: number) => number
  readonly goesWithSkipped: (step: ModelStep, skipped: readonly boolean[]) => boolean
}

export const rules: Rules = {
  needs: (step) => step.after,
  attempts: (step) => step.attempts,
  tolerated: ({ failAfter = 0 }, items) =>
    typeof failAfter === 'number' ? failAfter : Math.floor((Number.parseFloat(failAfter) / 100) * items),
  goesWithSkipped: ({ ifSkipped }, skipped) =>
    ifSkipped === 'skip' && skipped.length > 0 && skipped.every(Boolean),
}

/** What a step gives to those after it. */
type Result = { readonly kind: 'skipped' } | { readonly kind: 'given'; readonly value: unknown }

const skipped: Result = { kind: 'skipped' }
const given = (value: unknown): Result => ({ kind: 'given', value })

interface Played {
  readonly forecast: Omit<StepForecast, 'step' | 'seen'>
  /** Missing where the step fails its run. */
  readonly result?: Result
  readonly cause?: Omit<Cause, 'before'>
}

export function forecastRun(graph: ModelGraph, script: Script, by: Rules = rules): Forecast {
  const steps = new Map<string, StepForecast>()
  const results = new Map<string, Result>()
  const before = new Map<string, Set<string>>()
  const causes: Cause[] = []
  for (const step of graph) {
    const needs = by.needs(step)
    const ancestors = new Set(needs.flatMap((need) => [need, ...before.get(need)!]))
    before.set(step.name, ancestors)
    if (!needs.every((need) => results.has(need))) continue
    const seen = Object.fromEntries([...ancestors].map((name) => [name, valueOf(results.get(name)!)]))
    const { forecast, result, cause } = playStep(step, script, results, by)
    steps.set(step.name, { step, seen, ...forecast })
    const refusing = result === undefined ? undefined : mapThatRefuses(graph, step, result)
    if (cause !== undefined) causes.push({ ...cause, before: new Set([...ancestors, step.name]) })
    else if (refusing !== undefined) {
      const record = { items: [], endings: [whole(['failed'])] }
      steps.set(refusing.name, { step: refusing, seen: {}, ...record })
      const needed = new Set([...ancestors, step.name, refusing.name])
      causes.push({ step: refusing.name, items: [], code: 'map_not_a_list', before: needed })
    } else results.set(step.name, result!)
  }
  return { steps, causes, output: outputOf(graph, results), before }
}

/** The first map that can't go over what a step gave and fails its run for it, as soon as that is known. */
function mapThatRefuses(graph: ModelGraph, { name }: ModelStep, result: Result): ModelStep | undefined {
  if (result.kind === 'skipped' || Array.isArray(result.value)) return undefined
  return graph.find(({ over, onError }) => over === name && onError === 'fail')
}

function playStep(step: ModelStep, script: Script, results: ReadonlyMap<string, Result>, by: Rules): Played {
  const areSkipped = by.needs(step).map((need) => results.get(need)!.kind === 'skipped')
  if (by.goesWithSkipped(step, areSkipped)) return untried(['skipped'], skipped)
  if (step.over !== undefined) return playMap(step, results.get(step.over) ?? skipped, script, by)
  const ending = playAttempts(step, -1, script, by)
  const outcome = ending.outcomes.at(-1)!
  if (outcome === 'completed')
    return { forecast: { items: [], endings: [ending] }, result: given(ending.output) }
  if (outcome === 'skipped') return { forecast: { items: [], endings: [ending] }, result: skipped }
  if (step.onError === 'fail') {
    const cause = { step: step.name, items: [], code: errorCode }
    return { forecast: { items: [], endings: [ending] }, cause }
  }
  const passed = passOver(step.onError)
  const endings = [{ ...ending, outcomes: [...ending.outcomes, passed.outcome] }]
  return { forecast: { items: [], endings }, result: passed.result }
}

function playMap(step: ModelStep, source: Result, script: Script, by: Rules): Played {
  if (source.kind === 'skipped') return untried(['skipped'], skipped)
  if (!Array.isArray(source.value)) {
    // Where the map failed its run for this, its source did so already.
    const { outcome, result } = passOver(step.onError as Exclude<OnError, 'fail'>)
    return untried(['failed', outcome], result)
  }
  const items = source.value.map(toJson)
  if (items.length === 0) return untried(['completed'], given([]))
  const endings = items.map((_, item) => playAttempts(step, item, script, by))
  const failed = endings.filter(({ outcomes }) => outcomes.at(-1) === 'failed').map(({ item }) => item)
  const tolerated = by.tolerated(step, items.length)
  if (failed.length <= tolerated) return { forecast: { items, endings }, result: listResult(endings) }
  const endsEarlyAt = tolerated + 1
  if (step.onError === 'fail') {
    const code = step.failAfter === undefined ? errorCode : 'map_failed'
    return { forecast: { items, endings, endsEarlyAt }, cause: { step: step.name, items: failed, code } }
  }
  const { outcome, result } = passOver(step.onError)
  return { forecast: { items, endings: [...endings, whole([outcome])], endsEarlyAt }, result }
}

/** Tries until something other than a passing failure comes, or no attempt is left. */
function playAttempts({ name, ...step }: ModelStep, item: number, script: Script, by: Rules): Ending {
  const outcomes: AttemptOutcome[] = []
  for (;;) {
    const act = actOf(script, name, item, outcomes.length + 1)
    if (act.kind === 'complete')
      return { item, outcomes: [...outcomes, 'completed'], tried: outcomes.length + 1, output: act.output }
    if (act.kind === 'unwanted')
      return { item, outcomes: [...outcomes, 'skipped'], tried: outcomes.length + 1 }
    outcomes.push('failed')
    if (act.kind === 'permanent' || outcomes.length >= by.attempts({ name, ...step }))
      return { item, outcomes, tried: outcomes.length }
  }
}

/** The code of what the handlers of a script throw. */
const errorCode = 'Error'

const whole = (outcomes: AttemptOutcome[]): Ending => ({ item: -1, outcomes, tried: 0 })

const untried = (outcomes: AttemptOutcome[], result: Result): Played => ({
  forecast: { items: [], endings: [whole(outcomes)] },
  result,
})

function passOver(onError: Exclude<OnError, 'fail'>): { outcome: AttemptOutcome; result: Result } {
  if (onError === 'skip') return { outcome: 'skipped', result: skipped }
  return { outcome: 'completed', result: given(onError.fallback) }
}

/** A map whose items were all skipped is skipped; else a skipped item is null, and one that failed undefined. */
function listResult(endings: readonly Ending[]): Result {
  const last = endings.map(({ outcomes }) => outcomes.at(-1)!)
  if (last.every((outcome) => outcome === 'skipped')) return skipped
  return given(endings.map(({ output }, n) => (last[n] === 'failed' ? undefined : (output ?? null))))
}

const valueOf = (result: Result): unknown => (result.kind === 'skipped' ? undefined : result.value)

const toJson = (value: unknown): Json => JSON.parse(JSON.stringify(value ?? null)) as Json

function outputOf(graph: ModelGraph, results: ReadonlyMap<string, Result>): Json {
  const waitedFor = new Set(graph.flatMap(({ after }) => after))
  const last = graph.map(({ name }) => name).filter((name) => !waitedFor.has(name))
  const outputs = last.map((name) => [name, toJson(valueOf(results.get(name) ?? skipped))] as const)
  return outputs.length === 1 ? outputs[0]![1] : Object.fromEntries(outputs)
}
