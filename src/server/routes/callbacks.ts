// The routes of callbacks.
import { operations } from '../../api/catalogue.ts'
import { MillraceError } from '../../core/errors.ts'
import { listDeliveries, resendCallback } from '../../db/callbacks.ts'
import { withoutPosition } from '../../db/list-bounds.ts'
import { Callbacks } from '../../sdk/callbacks.ts'
import { pageByTime, placeOf } from '../page.ts'
import { type Route, route } from '../route.ts'

export const callbackRoutes: readonly Route[] = [
  route(operations.addCallback, async ({ params, body: { url, secret, events }, caller, room }) => ({
    created: await new Callbacks(() => Promise.resolve(caller), room.allowTargets).add(params.run, {
      url,
      secret,
      ...(events === undefined ? {} : { events }),
    }),
  })),

  route(operations.listCallbacks, async ({ query: { limit, cursor, run, open }, within, room }) => {
    const rows = await listDeliveries(room.reads, {
      ...within,
      id: null,
      runId: run ?? null,
      open: open ?? null,
      after: placeOf(cursor),
      limit: limit + 1,
    })
    return pageByTime(rows, limit)
  }),

  route(operations.showCallback, async ({ params, room }) => {
    const one = { id: params.callback, runId: null, open: null, limit: 1 }
    const [row] = await listDeliveries(room.reads, one)
    if (row !== undefined) return withoutPosition(row)
    throw new MillraceError('callback_unknown', `There is no delivery '${params.callback}'.`, {
      fields: { id: params.callback },
    })
  }),

  route(operations.resendCallback, async ({ params, caller }) => {
    await resendCallback(caller, params.callback)
    return undefined
  }),
]
