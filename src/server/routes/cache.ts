// The routes of the cache.
import { operations } from '../../api/catalogue.ts'
import { type CacheFilter, invalidateCache, listCache } from '../../db/cache.ts'
import { refuseBound } from '../bound-definition.ts'
import { type Route, route, type Within } from '../route.ts'

export const cacheRoutes: readonly Route[] = [
  route(operations.listCache, async ({ query: { limit, ...choice }, within, room }) => ({
    items: await listCache(room.reads, {
      ...filterOf(choice, within),
      pipelines: within.pipelines ?? undefined,
      limit,
    }),
  })),

  route(operations.invalidateCache, async ({ body, within, caller }) => {
    refuseBound(within, 'pipelines', 'A scope may be shared, and this key is bound to some pipelines.')
    return { removed: await invalidateCache(caller, filterOf(body, within)) }
  }),
]

function filterOf(choice: CacheFilter, { tenant }: Within): CacheFilter {
  return tenant === null ? choice : { ...choice, tenant }
}
