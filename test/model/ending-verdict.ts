// What follows the outcome of a run: which steps must be undone, in which order, what they and onFailure and onSuccess are given; compared
// with what a run did.
import { isDeepStrictEqual } from 'node:util'
import { type EndingStep, type EndingTrial, undoOf } from './ending-arbitrary.ts'
import { actOf, type Forecast, forecastRun, type Json, type Script } from './graph-model.ts'
import {
  disagreements,
  grouped,
  isBeginning,
  type Moment,
  type Observed,
  placeOf,
  text,
  wasAborted,
} from './graph-verdict.ts'

/** The rules of endings, so that a test can break one. */
export interface EndingRules {
  readonly attempts: (step: EndingStep) => number
  /** Whether one of two completed steps is undone before the other. */
  readonly isSooner: (left: Completion, right: Completion) => boolean
  /** What of a failed run is undone. */
  readonly isUndone: (attempt: Attempt) => boolean
}

type Attempt = Observed['attempts'][number]

/** When a step completed, or the last item of a map: counted in moments at which anything of the run did; and its place in the graph. */
interface Completion {
  readonly step: string
  readonly rank: number
  readonly position: number
}

export const endingRules: EndingRules = {
  attempts: (step) => step.attempts,
  isSooner: (left, right) =>
    left.rank > right.rank || (left.rank === right.rank && left.position > right.position),
  isUndone: ({ outcome, worker_id }) => outcome === 'completed' && worker_id !== null,
}

/** Empty where the run ended as it must. */
export function endingDisagreements(
  trial: EndingTrial,
  script: number,
  run: Observed,
  by: EndingRules = endingRules,
): string[] {
  const story = new Story(trial, script, run, by)
  return [
    ...disagreements(story.forecast, story.main, story.wasCancelled),
    ...story.endFaults(),
    ...story.undoFaults(),
    ...story.followerFaults(),
    ...story.handFaults(),
  ]
}

class Story {
  readonly forecast: Forecast
  readonly main: Observed
  readonly wasCancelled: boolean
  readonly #wasCutShort: boolean
  readonly #trial: EndingTrial
  readonly #script: Script
  readonly #run: Observed
  readonly #by: EndingRules
  readonly #outcomes: ReadonlyMap<string, Attempt[]>

  constructor(trial: EndingTrial, script: number, run: Observed, by: EndingRules) {
    const names = new Set(trial.graph.map(({ name }) => name))
    const changes = (run.cancellings ?? []).filter(({ answer }) => answer)
    const canUndo = Object.keys(trial.undos).length > 0
    this.#trial = trial
    this.#script = trial.scripts[script]!
    this.#run = run
    this.#by = by
    this.#outcomes = grouped(run.attempts, ({ step, item }) => placeOf(step, item))
    this.forecast = forecastRun(trial.graph, this.#script)
    this.wasCancelled = changes.length > 0
    this.#wasCutShort = changes.some(({ undo }) => !undo || !canUndo)
    this.main = {
      ...run,
      attempts: run.attempts.filter(({ step }) => names.has(step)),
      moments: run.moments.filter(({ step }) => names.has(step)),
    }
  }

  /** Whether what was completed is undone. */
  get #isUndone(): boolean {
    return !this.#wasCutShort && (this.wasCancelled || this.#run.state === 'failed')
  }

  endFaults(): string[] {
    const { state, error, cancellings = [] } = this.#run
    const plain = cancellings.filter(({ undo, answer }) => answer && !undo)
    const undoing = cancellings.filter(({ undo, answer }) => answer && undo)
    return [
      ...(this.wasCancelled && state !== 'cancelled' ? [`the run is ${state}, not cancelled`] : []),
      ...(this.wasCancelled && error !== null ? [`it was cancelled, and has the error ${text(error)}`] : []),
      ...(plain.length > 1 || undoing.length > 1 ? [`it was cancelled ${cancellings.length} times`] : []),
    ]
  }

  undoFaults(): string[] {
    const begun = this.#begun(({ step }) => step.startsWith('undo-'))
    const places = this.#undone()
    const faults: string[] = []
    for (const place of new Set([...places.keys(), ...begun.keys()])) {
      const undone = places.get(place)
      if (undone === undefined) {
        faults.push(`${place} began, and there was nothing to undo`)
        continue
      }
      const attempts = begun.get(place) ?? []
      if (!this.#isUndone && !this.#wasCutShort && attempts.length > 0)
        faults.push(`${place} began in a run that is ${this.#run.state}`)
      faults.push(...this.#attemptFaults(place, undone.step, undone.item, attempts, this.#isUndone))
      faults.push(...this.#givenFaults(place, undone, attempts))
    }
    return [...faults, ...this.#orderFaults()]
  }

  /** What follows the outcome itself comes when nothing is left to undo. */
  followerFaults(): string[] {
    const { graph, onFailure, onSuccess } = this.#trial
    const { state, error } = this.#run
    const faults: string[] = []
    for (const [name, step, isDue] of [
      ['on-failure', onFailure, state === 'failed'],
      ['on-success', onSuccess, state === 'completed'],
    ] as const) {
      const begun = this.#begun((moment) => moment.step === name).get(name) ?? []
      if (step === undefined) {
        if (begun.length > 0) faults.push(`${name} began, and there is none`)
        continue
      }
      // A cancel may come while it is under way, and then it has begun all the same.
      if (!isDue && !this.wasCancelled && begun.length > 0)
        faults.push(`${name} began in a run that is ${state}`)
      if (isDue || begun.length > 0) faults.push(...this.#attemptFaults(name, name, -1, begun, isDue))
      const steps = Object.fromEntries(graph.map((one) => [one.name, this.#outputOf(one.name, one.over)]))
      for (const { seen, told } of begun) {
        if (!isDeepStrictEqual(seen, steps)) faults.push(`${name} found ${text(seen)}, not ${text(steps)}`)
        if (name === 'on-failure' && isDue && !isDeepStrictEqual(told?.error, error))
          faults.push(`${name} was told ${text(told?.error)}, not ${text(error)}`)
      }
    }
    return faults
  }

  /** Nothing that follows begins while anything else is in anybody's hands, but items of one map, as many as the map allows. */
  handFaults(): string[] {
    const open = new Map<string, Moment>()
    const faults: string[] = []
    // A condition that said yes is a beginning without an end where the task was lost before its handler began.
    const ended = new Set(this.#run.moments.filter(({ kind }) => kind === 'end').map(attemptOf))
    for (const moment of this.#run.moments.filter((one) => ended.has(attemptOf(one)))) {
      const place = placeOf(moment.step, moment.item)
      if (moment.kind === 'end') {
        open.delete(place)
        continue
      }
      if (isEnding(moment.step)) {
        const others = [...open.values()].filter(({ step }) => step !== moment.step)
        if (others.length > 0)
          faults.push(`${place} began while ${others.map(({ step }) => step).join(', ')} was under way`)
        const map = this.#trial.graph.find(({ name }) => undoOf(name) === moment.step)
        if (open.size >= (map?.concurrency ?? Number.POSITIVE_INFINITY))
          faults.push(`${open.size + 1} items of ${moment.step} were under way at once`)
      }
      open.set(place, moment)
    }
    return faults
  }

  /** Each step that is undone comes after those that completed later have been. */
  #orderFaults(): string[] {
    const { moments, attempts } = this.#run
    const begun = [...new Set(moments.filter(({ step }) => step.startsWith('undo-')).map(({ step }) => step))]
    const completions = this.#trial.graph.flatMap(({ name }, position): Completion[] => {
      const ranks = attempts
        .filter((attempt) => attempt.step === name && this.#by.isUndone(attempt))
        .map(({ rank = 0 }) => rank)
      return ranks.length > 0 && name in this.#trial.undos
        ? [{ step: undoOf(name), rank: Math.max(...ranks), position }]
        : []
    })
    const expected = completions.toSorted((left, right) => (this.#by.isSooner(left, right) ? -1 : 1))
    const order = expected.map(({ step }) => step)
    return isBeginning(begun, order, this.#isUndone ? order.length : 0)
      ? []
      : [`what was undone is ${text(begun)}, not ${text(order)}`]
  }

  /** What was completed by a handler and has something that undoes it, by the place of what undoes it. */
  #undone(): Map<string, Attempt> {
    const done = this.#run.attempts.filter(
      (attempt) => attempt.step in this.#trial.undos && this.#by.isUndone(attempt),
    )
    return new Map(done.map((attempt) => [placeOf(undoOf(attempt.step), attempt.item), attempt]))
  }

  /** It is tried until it succeeds or no attempt is left; a run that was ended meanwhile may have cut that short. */
  #attemptFaults(
    place: string,
    step: string,
    item: number,
    begun: readonly Moment[],
    isWhole: boolean,
  ): string[] {
    const { undos, onFailure, onSuccess } = this.#trial
    const written = undos[step] ?? (step === 'on-failure' ? onFailure : onSuccess)
    const name = step in undos ? undoOf(step) : step
    const wanted = this.#played(name, item, this.#by.attempts(written!))
    const all = this.#outcomes.get(place) ?? []
    const found = all.filter((attempt) => !wasAborted(attempt)).map(({ outcome }) => outcome)
    // What a cancel cuts short in its first attempt may end as cancelled, and is not tried again.
    if (
      isBeginning(found, wanted, isWhole ? wanted.length : 0) &&
      (!isWhole || begun.length === wanted.length)
    )
      return []
    return [
      `the outcomes of ${place} are ${text(all.map(({ outcome }) => outcome))} of ${begun.length} begun, not ${text(wanted)}`,
    ]
  }

  #played(name: string, item: number, attempts: number): string[] {
    const outcomes: string[] = []
    for (;;) {
      const { kind } = actOf(this.#script, name, item, outcomes.length + 1)
      outcomes.push(kind === 'complete' ? 'completed' : 'failed')
      if (kind !== 'retryable' || outcomes.length >= attempts) return outcomes
    }
  }

  #givenFaults(place: string, done: Attempt, begun: readonly Moment[]): string[] {
    const { state, error } = this.#run
    const outcome = this.wasCancelled && !this.#wasCutShort ? 'cancelled' : state
    const items = this.forecast.steps.get(done.step)?.items ?? []
    const told = { outcome, output: done.output, error: outcome === 'failed' ? error : null }
    return begun.flatMap((moment) => [
      // A run that was cut short had another outcome before.
      ...(!this.#wasCutShort && !isDeepStrictEqual(moment.told, told)
        ? [`${place} was told ${text(moment.told)}, not ${text(told)}`]
        : []),
      ...(done.item >= 0 && !isDeepStrictEqual(moment.value, items[done.item])
        ? [`${place} was given ${text(moment.value)}, not ${text(items[done.item])}`]
        : []),
    ])
  }

  /** What there is of a step: of a map that did not come to its end the other items are undefined. */
  #outputOf(step: string, over: string | undefined): unknown {
    const last = [...this.#lastAttempts(step)]
    const whole = last.find(({ item }) => item < 0)
    if (whole !== undefined || over === undefined)
      return whole?.outcome === 'completed' ? whole.output : undefined
    if (last.every(({ outcome }) => outcome === 'skipped')) return undefined
    const list: (Json | undefined)[] = Array.from({ length: Math.max(...last.map(({ item }) => item)) + 1 })
    for (const { item, outcome, output } of last) {
      if (outcome === 'completed') list[item] = output as Json
      if (outcome === 'skipped') list[item] = null
    }
    return list
  }

  /** Of each item, and of the step as a whole, the attempt after which nothing came; an error that was passed over is not final by itself. */
  #lastAttempts(step: string): Attempt[] {
    const ofStep = this.#run.attempts.filter((attempt) => attempt.step === step)
    return [...grouped(ofStep, ({ item }) => String(item)).values()]
      .map((same) => same.at(-1)!)
      .filter(
        ({ item, outcome, retry_at }) =>
          ['completed', 'skipped'].includes(outcome) ||
          (item >= 0 && retry_at === null && outcome !== 'cancelled'),
      )
  }

  #begun(isMeant: (moment: Moment) => boolean): Map<string, Moment[]> {
    const begun = this.#run.moments.filter((moment) => moment.kind === 'begin' && isMeant(moment))
    return grouped(begun, ({ step, item }) => placeOf(step, item))
  }
}

const attemptOf = ({ step, item, attempt }: Moment): string => `${placeOf(step, item)} ${attempt}`

const isEnding = (step: string): boolean => step.startsWith('undo-') || step.startsWith('on-')
