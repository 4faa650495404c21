// The routes of callbacks.
import { operations } from '../../api/catalogue.ts'
import { MillraceError } from '../../core/errors.ts'
import { listDeliveries, resendCallback } from '../../db/callbacks.ts'
import { Callbacks } from '../../sdk/callbacks.ts'
import { pageOfRows, positionOf } from '../page.ts'
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
    const [after] = positionOf(cursor, ['uuid']) ?? []
    const rows = await listDeliveries(room.reads, {
      ...within,
      id: null,
      runId: run ?? null,
      open: open ?? null,
      after: after as string | undefined,
      limit: limit + 1,
    })
    return pageOfRows(rows, limit, ({ id }) => [id])
  }),

  route(operations.showCallback, async ({ params, room }) => {
    const one = { id: params.callback, runId: null, open: null, limit: 1 }
    const [row] = await listDeliveries(room.reads, one)
    if (row !== undefined) return row
    throw new MillraceError('callback_unknown', `There is no delivery '${params.callback}'.`, {
      fields: { id: params.callback },
    })
  }),

  route(operations.resendCallback, async ({ params, caller }) => {
    await resendCallback(caller, params.callback)
    return undefined
  }),
]
