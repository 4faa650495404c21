// The routes of rules on starts.
import { operations } from '../../api/catalogue.ts'
import {
  defineStartRule,
  listStartRules,
  removeStartRule,
  type StartRuleSettings,
} from '../../db/start-rules.ts'
import { pageOfRows, positionOf } from '../page.ts'
import { withPresent } from '../present.ts'
import type { ServerRoom } from '../room.ts'
import { type Route, route } from '../route.ts'

export const startRuleRoutes: readonly Route[] = [
  route(operations.listStartRules, async ({ query: { limit, cursor, pipeline }, within, room }) => {
    const after = positionOf(cursor, ['text', 'text']) as [string, string] | undefined
    const rows = await listStartRules(room.reads, pipeline ?? null, {
      pipelines: within.pipelines,
      after,
      limit: limit + 1,
    })
    const page = pageOfRows(rows, limit, ({ pipeline, name }) => [pipeline, name])
    return { items: page.items.map((row) => ({ ...row, settings: { ...row.settings } })), next: page.next }
  }),

  route(operations.defineStartRule, ({ params: { pipeline, rule }, body, caller, ifRevision, room }) =>
    presently(room, pipeline, rule, async () => ({
      // What the body leaves out is left out of the JSON that the database gets.
      revision: await defineStartRule(caller, pipeline, rule, body as StartRuleSettings, ifRevision),
    })),
  ),

  route(operations.removeStartRule, ({ params: { pipeline, rule }, caller, ifRevision, room }) =>
    presently(room, pipeline, rule, async () => ({
      changed: await removeStartRule(caller, pipeline, rule, ifRevision),
    })),
  ),
]

function presently<T>(room: ServerRoom, pipeline: string, rule: string, work: () => Promise<T>): Promise<T> {
  return withPresent(room, work, async ({ reads }) =>
    (await listStartRules(reads, pipeline)).find(({ name }) => name === rule),
  )
}
