// The routes of subscriptions.
import { operations } from '../../api/catalogue.ts'
import { MillraceError } from '../../core/errors.ts'
import {
  defineSubscription,
  listSubscriptions,
  pauseSubscription,
  removeSubscription,
  type SubscriptionRow,
  type SubscriptionSettings,
} from '../../db/events.ts'
import { presentWithin, withinBounds } from '../bound-definition.ts'
import { pageOfRows, positionOf } from '../page.ts'
import { withPresent } from '../present.ts'
import type { ServerRoom } from '../room.ts'
import { type Route, route, type Within } from '../route.ts'

export const subscriptionRoutes: readonly Route[] = [
  route(operations.listSubscriptions, async ({ query: { limit, cursor, event }, within, room }) => {
    const [after] = positionOf(cursor, ['text']) ?? []
    const rows = await listSubscriptions(room.reads, event ?? null, {
      ...within,
      after: after as string | undefined,
      limit: limit + 1,
    })
    return pageOfRows(rows, limit, ({ name }) => [name])
  }),

  route(operations.showSubscription, async ({ params, room }) => {
    const row = await found(room, params.subscription)
    if (row !== undefined) return row
    throw new MillraceError('subscription_unknown', `There is no subscription '${params.subscription}'.`, {
      fields: { name: params.subscription },
    })
  }),

  route(operations.defineSubscription, async ({ params, body, within, caller, ifRevision, room }) => {
    const { subscription: name } = params
    return presently(room, within, name, async () => {
      const bounds = await withinBounds(room, within, {
        kind: 'subscription',
        name,
        pipeline: body.pipeline,
        tenant: body.tenant,
        ifRevision,
        standing: async () => (await found(room, name))?.revision ?? 0,
      })
      // What the body leaves out is left out of the JSON that the database gets.
      const settings = { ...body, tenant: bounds.tenant } as SubscriptionSettings
      return { revision: await defineSubscription(caller, name, settings, bounds.ifRevision) }
    })
  }),

  route(operations.pauseSubscription, ({ params: { subscription }, caller, ifRevision, within, room }) =>
    presently(room, within, subscription, async () => ({
      changed: await pauseSubscription(caller, subscription, true, ifRevision),
    })),
  ),

  route(operations.resumeSubscription, ({ params: { subscription }, caller, ifRevision, within, room }) =>
    presently(room, within, subscription, async () => ({
      changed: await pauseSubscription(caller, subscription, false, ifRevision),
    })),
  ),

  route(
    operations.removeSubscription,
    async ({ params: { subscription }, caller, ifRevision, within, room }) => {
      await presently(room, within, subscription, () => removeSubscription(caller, subscription, ifRevision))
      return undefined
    },
  ),
]

async function found(room: ServerRoom, name: string): Promise<SubscriptionRow | undefined> {
  return (await listSubscriptions(room.reads, null, { name, limit: 1 }))[0]
}

function presently<T>(room: ServerRoom, within: Within, name: string, work: () => Promise<T>): Promise<T> {
  return withPresent(room, work, (outside) =>
    presentWithin(outside, within, { kind: 'subscription', name }, () => found(outside, name)),
  )
}
