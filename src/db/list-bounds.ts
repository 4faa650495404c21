// What a list is kept to: whose things, which page. What is left out bounds nothing.

/** Keeps a list to a tenant, to pipelines, and to a page. */
export interface ListBounds {
  readonly tenant?: string | null | undefined
  readonly pipelines?: readonly string[] | null | undefined
  /** Only those behind this one: where the page before ended. */
  readonly after?: string | null | undefined
  readonly limit?: number | undefined
}

/** The values of a statement's last four parameters. */
export function boundValues({ tenant, pipelines, after, limit }: ListBounds): unknown[] {
  return [tenant ?? null, pipelines ?? null, after ?? null, limit ?? null]
}
