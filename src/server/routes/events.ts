// The routes of emitted events.
import { operations } from '../../api/catalogue.ts'
import { checkJson } from '../../core/json.ts'
import { emit, listEvents } from '../../db/events.ts'
import { refuseBound } from '../bound-definition.ts'
import { pageOfRows, positionOf } from '../page.ts'
import { type Route, route } from '../route.ts'
import { tenantWithin } from '../within.ts'

const ofAll = 'An event is for whoever subscribes, and this key is bound to some pipelines.'

export const eventRoutes: readonly Route[] = [
  route(operations.listEvents, async ({ query, within, actor, room }) => {
    refuseBound(within, 'pipelines', ofAll)
    const { limit, cursor, name, tenant } = query
    const [before] = (positionOf(cursor, ['number']) as [number] | undefined) ?? []
    const rows = await listEvents(room.reads, {
      name: name ?? null,
      before: before === undefined ? null : String(before),
      limit: limit + 1,
      tenant: within.tenant ?? tenant,
    })
    const page = pageOfRows(rows, limit, ({ id }) => [Number(id)])
    const { payloads } = actor
    return {
      items: page.items.map((row) => ({
        ...row,
        payload: payloads ? row.payload : null,
        payloads_hidden: !payloads,
        // Operators subscribe to the events of all tenants: which pipelines they have for that is theirs.
        starts: within.tenant === null ? row.starts : [],
      })),
      next: page.next,
    }
  }),

  route(operations.emit, async ({ body, within, caller }) => {
    refuseBound(within, 'pipelines', ofAll)
    const { name, payload, tenant, idempotency_key: idempotencyKey } = body
    const id = await emit(caller, {
      name,
      payload:
        payload === undefined
          ? null
          : checkJson(payload, { what: `the payload of event '${name.slice(0, 100)}'` }),
      tenant: tenantWithin(within, tenant) ?? null,
      idempotencyKey: idempotencyKey ?? null,
      runId: null,
      step: null,
    })
    return { id }
  }),
]
