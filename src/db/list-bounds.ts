// What a list is kept to: whose things, which page. What is left out bounds nothing.

/** Keeps a list to a tenant, to pipelines, and to a page. */
export interface ListBounds {
  readonly tenant?: string | null | undefined
  readonly pipelines?: readonly string[] | null | undefined
  /** Only those behind this one: where the page before ended. */
  readonly after?: string | null | undefined
  readonly limit?: number | undefined
}

/** Where a row stands in a list by time, to the microsecond and with its id: told with the row, because by the time that a page ended at it the row may be gone. */
export type Place = readonly [at: string, id: string]

/** A row as it is told: where a page ends is no business of a reader. */
export function withoutPosition<Row extends { readonly position: string }>(row: Row): Omit<Row, 'position'> {
  const { position: _, ...told } = row
  return told
}

/** The values of a statement's last four parameters. */
export function boundValues({ tenant, pipelines, after, limit }: ListBounds): unknown[] {
  return [tenant ?? null, pipelines ?? null, after ?? null, limit ?? null]
}
