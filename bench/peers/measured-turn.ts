// What a turn of a row comes to: a value and what it took, or the reason why there is none.
import type { Spent } from './costs.ts'

export interface Turn {
  readonly value: number
  /** What the measured work took, without what comes before and after it; to be said, so that no row leaves it out by mistake: nothing where nobody can say whose it was. */
  readonly spent: Spent | undefined
  /** Where the value is a quantile of them. */
  readonly samples?: readonly number[]
  /** Whether work was left over when the bound of time came: the place must be made anew. */
  readonly leftOver: boolean
  readonly note?: string
}

/** Thrown by a turn that ends without a value, for a reason that belongs into the table. */
export class NoValue extends Error {}
