// The routes of redrives.
import type { Given } from '../../api/operation.ts'
import { operations } from '../../api/catalogue.ts'
import type { failureFilter } from '../../api/redrives.ts'
import { MillraceError } from '../../core/errors.ts'
import type { Caller } from '../../db/call.ts'
import {
  abortRedrive,
  listRedriveItems,
  listRedrives,
  readRedrive,
  type RedriveStandingRow,
} from '../../db/redrives.ts'
import { type FailureFilter, Redrives } from '../../sdk/redrives.ts'
import { defined } from '../defined.ts'
import { pageByTime, placeOf } from '../page.ts'
import { type Route, route, type Within } from '../route.ts'
import { checkPipeline, tenantWithin } from '../within.ts'

export const redriveRoutes: readonly Route[] = [
  route(operations.planRedrive, async ({ body, within, room }) => {
    const { filter, ...from } = body
    return new Redrives(() => Promise.resolve(room.reads)).plan(filterWithin(within, filter), defined(from))
  }),

  route(operations.startRedrive, async ({ body, within, caller, room }) => {
    const { filter, ...options } = body
    const redrives = new Redrives(() => Promise.resolve(caller))
    const { id } = await redrives.start(filterWithin(within, filter), defined(options))
    return readKnown(room.reads, id)
  }),

  route(operations.listRedrives, async ({ query, within, room }) => {
    const { limit, cursor, state } = query
    const rows = await listRedrives(room.reads, {
      open: state === 'open',
      tenant: within.tenant ?? undefined,
      pipelines: within.pipelines ?? undefined,
      before: placeOf(cursor),
      limit: limit + 1,
    })
    return pageByTime(rows, limit)
  }),

  route(operations.showRedrive, async ({ params, room }) => readKnown(room.reads, params.redrive)),

  route(operations.listRedrivenRuns, async ({ params, query, room }) => {
    await readKnown(room.reads, params.redrive)
    const rows = await listRedriveItems(room.reads, params.redrive, query.limit)
    return { items: rows.map(({ run_id: run, new_run_id: new_run, ...rest }) => ({ run, new_run, ...rest })) }
  }),

  route(operations.abortRedrive, async ({ params, caller }) => ({
    changed: await abortRedrive(caller, params.redrive),
  })),
]

/** @throws MillraceError redrive_unknown */
async function readKnown(reads: Caller, id: string): Promise<RedriveStandingRow> {
  const row = await readRedrive(reads, id)
  if (row !== undefined) return row
  throw new MillraceError('redrive_unknown', `There is no redrive ${id}.`, { fields: { redriveId: id } })
}

type Filter = Given<typeof failureFilter>

/** What a bound key redrives is of its tenant, and of a pipeline of its own. @throws MillraceError not_allowed, pipeline_unknown */
function filterWithin(within: Within, { since, until, ...filter }: Filter): FailureFilter {
  if (filter.pipeline !== undefined) checkPipeline(within, filter.pipeline)
  else if (within.pipelines !== null)
    throw new MillraceError(
      'not_allowed',
      'You may not do this. The key is bound to pipelines: name one of them.',
    )
  const tenant = tenantWithin(within, filter.tenant)
  return defined({
    ...filter,
    tenant,
    since: since === undefined ? undefined : new Date(since),
    until: until === undefined ? undefined : new Date(until),
  })
}
