// The routes of webhooks and their deliveries.
import type { Actor } from '../../api/access.ts'
import { operations } from '../../api/catalogue.ts'
import { MillraceError } from '../../core/errors.ts'
import { type DeliveryListRow, findDelivery, listDeliveries } from '../../db/deliveries.ts'
import { listWebhooks } from '../../db/webhooks.ts'
import { pageByTime, pageOfRows, placeOf, positionOf } from '../page.ts'
import { type Route, route } from '../route.ts'

export const webhookRoutes: readonly Route[] = [
  route(operations.listWebhooks, async ({ query: { limit, cursor }, room }) => {
    const [after] = positionOf(cursor, ['text']) ?? []
    const rows = await listWebhooks(room.reads, null, {
      after: after as string | undefined,
      limit: limit + 1,
    })
    return pageOfRows(rows, limit, ({ name }) => [name])
  }),

  route(operations.showWebhook, async ({ params, room }) => {
    const [row] = await listWebhooks(room.reads, params.webhook)
    if (row !== undefined) return row
    throw new MillraceError('webhook_unknown', `There is no webhook '${params.webhook}'.`, {
      fields: { webhook: params.webhook },
    })
  }),

  route(operations.rotateWebhook, async ({ params, body, caller, room }) => {
    const made = await room.client.webhooks.as(caller).rotate(params.webhook, {
      overlap: body.overlap_seconds * 1_000,
      ...(body.value === undefined ? {} : { value: body.value }),
    })
    return {
      name: made.name,
      version: made.version,
      value: body.value === undefined ? made.value : null,
      overlap_seconds: made.overlapSeconds,
    }
  }),

  route(operations.revokeWebhook, async ({ params, caller, room }) => ({
    changed: await room.client.webhooks.as(caller).revoke(params.webhook),
  })),

  route(operations.listDeliveries, async ({ query, actor, room }) => {
    const { limit, cursor, webhook, state, ...times } = query
    const filter = { webhook, state, ...datesOf(times) }
    const page = pageByTime(await listDeliveries(room.reads, filter, limit + 1, placeOf(cursor)), limit)
    return { items: page.items.map((row) => told(row, actor)), next: page.next }
  }),

  route(operations.showDelivery, async ({ params, actor, room }) => {
    const row = await findDelivery(room.reads, params.delivery)
    if (row !== undefined) return told(row, actor)
    throw new MillraceError('delivery_unknown', `There is no delivery '${params.delivery}'.`, {
      fields: { delivery: params.delivery },
    })
  }),

  route(operations.replayDeliveries, async ({ body, caller, room }) => {
    const { delivery, webhook, state, since, until, limit, again, dry_run: dryRun } = body
    const which = delivery ?? {
      ...(webhook === undefined ? {} : { webhook }),
      ...(state === undefined ? {} : { state }),
      ...datesOf({ since, until }),
    }
    const webhooks = room.client.webhooks.as(caller)
    const { count, deliveries } = await webhooks.replay(room.triggers, which, { limit, again, dryRun })
    return {
      count,
      deliveries: deliveries.map(({ isRepeat, ...one }) => ({ ...one, is_repeat: isRepeat })),
    }
  }),
]

interface Times {
  readonly since?: string | undefined
  readonly until?: string | undefined
}

function datesOf({ since, until }: Times): { readonly since?: Date; readonly until?: Date } {
  return {
    ...(since === undefined ? {} : { since: new Date(since) }),
    ...(until === undefined ? {} : { until: new Date(until) }),
  }
}

function told(row: DeliveryListRow, { payloads }: Actor) {
  return { ...row, headers: payloads ? row.headers : null, payloads_hidden: !payloads }
}
