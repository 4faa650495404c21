// What a figure is: a name, how it is measured, and the rows that it gives.
import type { Bench } from './bench.ts'

export interface Figure {
  /** What --only takes. */
  readonly name: string
  readonly measure: (bench: Bench) => Promise<Row[]>
}

/** One line of the table. */
export interface Row {
  readonly label: string
  /** One value a round; without it the goal bounds ours itself. */
  readonly floor?: readonly number[]
  readonly ours: readonly number[]
  readonly unit: string
  /** What the ratio (or, without a floor, ours) should be; a row without one only tells. */
  readonly goal?: Goal
  /** How it was measured, where the label leaves that open. */
  readonly note?: string
}

export type Goal = { readonly atLeast: number } | { readonly atMost: number }
