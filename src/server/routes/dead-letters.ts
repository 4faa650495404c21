// The routes of dead letters.
import { operations } from '../../api/catalogue.ts'
import { listDeadLetters } from '../../db/dead-letters.ts'
import { withoutPosition } from '../../db/list-bounds.ts'
import { listFailures } from '../../db/redrives.ts'
import { pageOfRows, placeOf } from '../page.ts'
import { type Route, route } from '../route.ts'
import { tenantWithin } from '../within.ts'

export const deadLetterRoutes: readonly Route[] = [
  route(operations.listDeadLetters, async ({ query, within, room }) => {
    const { limit, cursor, pipeline, fingerprint } = query
    const rows = await listDeadLetters(room.reads, {
      pipeline,
      fingerprint,
      tenant: tenantWithin(within, query.tenant),
      pipelines: within.pipelines ?? undefined,
      after: placeOf(cursor),
      limit: limit + 1,
    })
    const page = pageOfRows(rows, limit, ({ position, run }) => [position, run])
    return { ...page, items: page.items.map(withoutPosition) }
  }),

  route(operations.listFailures, async ({ query, within, room }) => {
    const rows = await listFailures(room.reads, {
      pipeline: query.pipeline ?? null,
      tenant: tenantWithin(within, query.tenant) ?? null,
      pipelines: within.pipelines ?? undefined,
      since: query.since === undefined ? null : new Date(query.since),
      limit: query.limit,
    })
    return { items: rows.map(({ last_run_id: last_run, ...row }) => ({ ...row, last_run })) }
  }),
]
