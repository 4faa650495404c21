// The routes of watches.
import type { Actor } from '../../api/access.ts'
import { operations } from '../../api/catalogue.ts'
import { digestOf } from '../../core/digest.ts'
import { MillraceError } from '../../core/errors.ts'
import {
  abortBackfill,
  defineWatch,
  listWatches,
  pauseWatch,
  refuseWatchRevision,
  removeWatch,
  type WatchDefinition,
  type WatchRow,
} from '../../db/watches.ts'
import type { Caller } from '../../db/call.ts'
import { unknownWatch } from '../../sdk/watches.ts'
import { pageOfRows, positionOf } from '../page.ts'
import { withPresent } from '../present.ts'
import { type ServerRoom, together } from '../room.ts'
import { type Call, type Route, route } from '../route.ts'

export const watchRoutes: readonly Route[] = [
  route(operations.listWatches, async ({ query: { limit, cursor }, within, actor, room }) => {
    const [after] = positionOf(cursor, ['text']) ?? []
    const rows = await listWatches(room.reads, null, {
      ...within,
      after: after as string | undefined,
      limit: limit + 1,
    })
    const page = pageOfRows(rows, limit, ({ name }) => [name])
    return { items: page.items.map((row) => told(row, actor)), next: page.next }
  }),

  route(operations.showWatch, async ({ params, actor, room }) => {
    const row = await found(room, params.watch)
    if (row === undefined) throw unknownWatch(params.watch)
    return told(row, actor)
  }),

  route(operations.defineWatch, async ({ params, body, actor, caller, ifRevision, room }) => {
    const { watch: name } = params
    if (body.when !== undefined) refuseNewCondition(name, body.when, await found(room, name))
    // What the body leaves out is left out of the JSON that the database gets.
    const settings = body as WatchDefinition['settings']
    return presently(room, actor, name, async () => ({
      revision: await defineWatch(caller, { name, settings }, ifRevision),
    }))
  }),

  route(operations.pauseWatch, (call) =>
    changing(call, (caller) => pauseWatch(caller, call.params.watch, true)),
  ),

  route(operations.resumeWatch, (call) =>
    changing(call, (caller) => pauseWatch(caller, call.params.watch, false)),
  ),

  route(operations.removeWatch, (call) => changing(call, (caller) => removeWatch(caller, call.params.watch))),

  route(operations.abortBackfill, async ({ params, caller }) => ({
    changed: await abortBackfill(caller, params.backfill),
  })),
]

async function found(room: ServerRoom, name: string): Promise<WatchRow | undefined> {
  return (await listWatches(room.reads, name))[0]
}

/** A change of what was seen: between the look at its revision and the change nobody comes. */
function changing(
  { params, actor, origin, room, ifRevision }: Call<{ readonly watch: string }>,
  change: (caller: Caller) => Promise<boolean>,
): Promise<{ readonly changed: boolean }> {
  return presently(room, actor, params.watch, () =>
    together(room, actor, origin, async (caller) => {
      if (ifRevision !== undefined) await refuseWatchRevision(caller, params.watch, ifRevision)
      return { changed: await change(caller) }
    }),
  )
}

function presently<T>(room: ServerRoom, actor: Actor, name: string, work: () => Promise<T>): Promise<T> {
  return withPresent(room, work, async (outside) => {
    const row = await found(outside, name)
    return row === undefined ? null : told(row, actor)
  })
}

function told({ last_cut, ...row }: WatchRow, { payloads }: Actor) {
  return {
    ...row,
    payloads_hidden: !payloads,
    last_cut: last_cut === null ? null : { ...last_cut, key: payloads ? last_cut.key : null },
    runs_started: Number(row.runs_started),
    changes_told: Number(row.changes_told),
    changes_dropped: Number(row.changes_dropped),
    loops_cut: Number(row.loops_cut),
  }
}

/** The owner of the table's triggers runs it: whoever only speaks HTTP brings none, and may keep what stands. */
function refuseNewCondition(name: string, when: object, standing: WatchRow | undefined): void {
  const known = standing?.settings.when
  if (known !== undefined && digestOf(known) === digestOf(when)) return
  throw new MillraceError(
    'watch_invalid',
    `Watch '${name}' is refused: no condition in SQL comes by HTTP, and those that it has are others.`,
    { fields: { name }, hint: 'Declare the watch in code, with its conditions.' },
  )
}
