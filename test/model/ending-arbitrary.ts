// Arbitrary graphs with undo steps, steps that follow the outcome, and handlers that cancel their own run on the way.
import fc from 'fast-check'
import { type Trial, trials } from './graph-arbitrary.ts'
import type { Act, Script } from './graph-model.ts'

/** A step that follows the outcome of its run. */
export interface EndingStep {
  readonly attempts: number
  readonly tx: boolean
  readonly turns: number
}

/** The handler at this step, of its first item and in its first attempt, cancels the run before it does anything else. */
interface Cancel {
  readonly step: string
  readonly undo: boolean
}

export interface EndingTrial extends Trial {
  /** By the name of the step that is undone. */
  readonly undos: Readonly<Record<string, EndingStep>>
  readonly onFailure: EndingStep | undefined
  readonly onSuccess: EndingStep | undefined
  /** For each of the scripts. */
  readonly cancels: ReadonlyArray<readonly Cancel[]>
}

const ending: fc.Arbitrary<EndingStep> = fc.record({
  attempts: fc.integer({ min: 1, max: 3 }),
  tx: fc.nat(3).map((n) => n === 3),
  turns: fc.nat(2),
})

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Act>({ kind: 'complete', output: null }) },
  { weight: 3, arbitrary: fc.constant<Act>({ kind: 'retryable' }) },
  { weight: 1, arbitrary: fc.constant<Act>({ kind: 'permanent' }) },
)
const rows = fc.array(fc.array(act, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 })

/** A place among the steps and what follows them, whose handler cancels. */
const cancel = fc.record({ at: fc.nat(17), undo: fc.nat(3).map((n) => n > 0) })

const stepsMax = 8
const scriptsMax = 3

const parts = fc.record({
  trial: trials,
  // Nine in ten shrink towards having none; what remains is what the fault needs.
  undos: fc.array(fc.option(ending, { freq: 2 }), { minLength: stepsMax, maxLength: stepsMax }),
  onFailure: fc.option(ending, { nil: undefined, freq: 1 }),
  onSuccess: fc.option(ending, { nil: undefined, freq: 1 }),
  acts: fc.array(fc.array(rows, { minLength: stepsMax + 2, maxLength: stepsMax + 2 }), {
    minLength: scriptsMax,
    maxLength: scriptsMax,
  }),
  cancels: fc.array(
    fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      { weight: 2, arbitrary: fc.array(cancel, { minLength: 1, maxLength: 2 }) },
    ),
    { minLength: scriptsMax, maxLength: scriptsMax },
  ),
})

export const endingTrials: fc.Arbitrary<EndingTrial> = parts.map((given) => {
  const { graph } = given.trial
  const names = graph.map(({ name }) => name)
  const undone = names.filter((_, place) => given.undos[place] !== null)
  const undos = Object.fromEntries(undone.map((name) => [name, given.undos[names.indexOf(name)]!]))
  const places = [...names, ...undone.map(undoOf), 'on-failure', 'on-success']
  const scripts = given.trial.scripts.map((script, run): Script => {
    const acts = given.acts[run]!
    const endings = [...names.map(undoOf), 'on-failure', 'on-success']
    return { ...script, ...Object.fromEntries(endings.map((name, place) => [name, acts[place]!])) }
  })
  const cancels = scripts.map((_, run) =>
    given.cancels[run]!.map(({ at, undo }) => ({ step: places[at % places.length]!, undo })),
  )
  const { onFailure, onSuccess } = given
  return { graph, scripts, undos, onFailure, onSuccess, cancels }
})

export const undoOf = (step: string): string => `undo-${step}`
