// Owns lists as programs read them: item by item, page after page.
import type { AnyCall } from './call.ts'

interface Page<Item> {
  readonly items: readonly Item[]
  readonly next: string | null
}

/** A verb that lists, page by page. */
export type PagedList = (call: never) => Promise<Page<unknown>>

/** What a call of it takes. */
export type ListCall<List extends PagedList> = NonNullable<Parameters<List>[0]>

/** What it lists. */
export type ItemOf<List extends PagedList> = Awaited<ReturnType<List>>['items'][number]

/**
 * All items of a list, each page when it is reached: `for await (const run of each(client.listRuns, { query: { state: 'failed' } }))`.
 *
 * @param call its query may say with `limit` how many items a page has
 */
export async function* each<List extends PagedList>(
  list: List,
  ...[call]: object extends ListCall<List> ? [call?: ListCall<List>] : [call: ListCall<List>]
): AsyncGenerator<ItemOf<List>, void, undefined> {
  const first: AnyCall = call ?? {}
  const read = list as unknown as (call: AnyCall) => Promise<Page<ItemOf<List>>>
  let cursor: string | null = null
  do {
    const page: Page<ItemOf<List>> = await read(
      cursor === null ? first : { ...first, query: { ...first.query, cursor } },
    )
    yield* page.items
    cursor = page.next
  } while (cursor !== null)
}
