// The routes of limits.
import { operations } from '../../api/catalogue.ts'
import {
  defineLimit,
  type LimitRow,
  type LimitSettings,
  type LimitTarget,
  listLimits,
  removeLimit,
} from '../../db/limits.ts'
import { unknownLimit } from '../../sdk/limits.ts'
import { withPresent } from '../present.ts'
import type { ServerRoom } from '../room.ts'
import { type Route, route } from '../route.ts'

export const limitRoutes: readonly Route[] = [
  route(operations.listLimits, async ({ query: { keys }, room }) => ({
    items: (await listLimits(room.reads, null, keys)).map(told),
  })),

  route(operations.showLimit, async ({ params: { limit }, query: { keys }, room }) => {
    const [row] = await listLimits(room.reads, limit, keys)
    if (row === undefined) throw unknownLimit(limit)
    return told(row)
  }),

  route(operations.defineLimit, async ({ params: { limit: name }, body, caller, ifRevision, room }) => {
    const known = body.targets === undefined ? (await listLimits(room.reads, name, 0))[0] : undefined
    // What the body leaves out is left out of the JSON that the database gets.
    const settings = body.settings as LimitSettings
    const targets = (body.targets ?? known?.targets ?? []) as readonly LimitTarget[]
    // Of targets that were read just now, nothing may come in between.
    const seen = ifRevision ?? known?.revision
    return presently(room, name, async () => ({
      revision: await defineLimit(caller, { name, settings, targets }, seen),
    }))
  }),

  route(operations.removeLimit, ({ params: { limit }, caller, ifRevision, room }) =>
    presently(room, limit, async () => ({ changed: await removeLimit(caller, limit, ifRevision) })),
  ),
]

function told(row: LimitRow) {
  return { ...row, settings: { ...row.settings } }
}

function presently<T>(room: ServerRoom, name: string, work: () => Promise<T>): Promise<T> {
  return withPresent(room, work, async ({ reads }) => (await listLimits(reads, name, 10))[0])
}
