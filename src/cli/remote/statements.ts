// Owns what it takes to answer a statement of src/db over HTTP: its rows, out of what operations answer.
import { each, type ItemOf, type ListCall, type PagedList } from '../../client/pages.ts'
import { MillraceError } from '../../core/errors.ts'

/** The rows of one statement, from the values that src/db gives it, in its order. */
type RemoteStatement = (...values: never[]) => Promise<readonly unknown[]>

/** The statements of a noun, by the names that src/db gives them. */
export type RemoteStatements = Readonly<Record<string, RemoteStatement>>

/** A row out of an answer, which has a value for each of its columns: what ends with _at is a time. */
export function rowOf<Row>(told: { readonly [Column in keyof Row]: unknown }): Row {
  const columns = Object.entries(told).map(([column, value]) => [
    column,
    column.endsWith('_at') && typeof value === 'string' ? new Date(value) : value,
  ])
  return Object.fromEntries(columns) as Row
}

const pageMax = 200

/** The first of a list, over as many pages as that takes. */
export async function firstOf<List extends PagedList>(
  list: List,
  call: ListCall<List>,
  most: number,
): Promise<ItemOf<List>[]> {
  const items: ItemOf<List>[] = []
  const { query } = call as { readonly query?: object }
  const paged = { ...(call as object), query: { ...query, limit: Math.min(most, pageMax) } }
  for await (const item of each(list, paged as ListCall<List>)) {
    items.push(item)
    if (items.length >= most) break
  }
  return items
}

/** A list of the one that there is, or of none. */
export async function oneOrNone<Item>(answer: Promise<Item>): Promise<Item[]> {
  try {
    return [await answer]
  } catch (error) {
    if (error instanceof MillraceError && /^(not_found|\w+_unknown)$/.test(error.code)) return []
    throw error
  }
}

/** What of an object is there: the API takes no null for what is left out. */
export function given<Parts extends Readonly<Record<string, unknown>>>(
  parts: Parts,
): { readonly [Name in keyof Parts]?: Exclude<Parts[Name], null | undefined> } {
  const there = Object.entries(parts).filter(([, value]) => value !== null && value !== undefined)
  return Object.fromEntries(there) as { [Name in keyof Parts]?: Exclude<Parts[Name], null | undefined> }
}

/** The revision on which a change was decided, where there is one. */
export function revisionOf(revision: number | null | undefined): { readonly ifRevision?: number } {
  return revision === null || revision === undefined ? {} : { ifRevision: revision }
}

/** A value out of the JSON text that src/db gives a statement. */
export function valueOf(text: string | null): { readonly value?: unknown } {
  return text === null ? {} : { value: JSON.parse(text) as unknown }
}
