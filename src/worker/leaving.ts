// How an attempt leaves its step without an end: parked, with what it waits for, or continued as another run.
import type { WaitSpec } from '../db/waits.ts'

export type LeavingOutcome =
  | { readonly kind: 'parked'; readonly waits: readonly WaitSpec[] }
  /** The input of the run that goes on, as JSON text. */
  | { readonly kind: 'continued'; readonly input: string }

/** Thrown where a handler's promise is given up; no error of anybody. */
export class Leaving extends Error {
  override readonly name = 'Leaving'
  readonly outcome: LeavingOutcome

  constructor(outcome: LeavingOutcome) {
    super('the attempt leaves its step without an end')
    this.outcome = outcome
  }
}
