// Owns the shape of a question about a run of chaos: a promise, and what in the database breaks it.

export interface Question {
  readonly claim: string
  /** A row for each thing that breaks the claim. $1 is what the load knows: see Known, and KnownOfLoad of verdict-load.ts. */
  readonly offenders: string
}

/** What only the load knows. */
export interface Known {
  /** The steps that write an effect, by pipeline. */
  readonly effects: Record<string, string[]>
  readonly askedToCancel: readonly string[]
  readonly deliveries: readonly string[]
}
