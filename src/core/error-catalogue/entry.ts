// Owns what the catalogue says of one error.

export interface CatalogueEntry {
  readonly cause: string
  readonly remedy: string
  /** The SQLSTATE (class MR) under which the SQL functions raise this error. */
  readonly sqlstate?: `MR${string}`
  /** What a command exits with; 1 where nothing is said. */
  readonly exitCode?: number
  /** An attempt that fails with this code isn't retried: the next one would fail alike. */
  readonly permanent?: true
}
