// What a row of the table is: what is asked of a peer, how a turn of it is measured, and what its value means.
import type { Heading } from './heading.ts'
import type { Turn } from './measured-turn.ts'
import type { RowName, Setup } from './peer.ts'
import type { Stage } from './stage.ts'

export interface RowPlan extends Heading {
  readonly name: RowName
  readonly setup?: Setup
  /** Work before the first turn that is not measured. */
  readonly before?: (stage: Stage, size: Size) => Promise<void>
  /** One turn; the first, which does not count, has the number 0. */
  readonly turn: (stage: Stage, size: Size, round: number) => Promise<Turn>
  /** Of the samples of all turns that count: what the values leave open. */
  readonly noteOf?: (samples: readonly number[]) => string
  /** Only measured when it is asked for by name or with --long. */
  readonly long?: boolean
  /** All peers at once, where a turn is nothing but waiting. */
  readonly together?: boolean
  /** Turns that count, where they are not as many as usual. */
  readonly rounds?: number
}

/** How much work a turn is. */
export interface Size {
  readonly quick: boolean
  /** A number of things, or a tenth of it for a quick look. */
  readonly of: (full: number) => number
  /** When a turn ends though its work is not done. */
  readonly limitMs: number
}
