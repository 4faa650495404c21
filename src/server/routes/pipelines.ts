// The routes of pipelines.
import type { Actor } from '../../api/access.ts'
import { operations } from '../../api/catalogue.ts'
import { MillraceError } from '../../core/errors.ts'
import { checkJson } from '../../core/json.ts'
import { listPausedKeys, resumeKey } from '../../db/failure-streaks.ts'
import { pipelineInventory } from '../../db/inventory.ts'
import { listPipelines, listVersions, pipelineOutcomes, type PipelineRow } from '../../db/pipeline-list.ts'
import { activatePipeline, pausePipeline, resumePipeline, splitPipeline } from '../../db/pipelines.ts'
import { migrateRuns } from '../../db/run-moves.ts'
import { refuseBound } from '../bound-definition.ts'
import { pageOfRows, positionOf } from '../page.ts'
import { withPresent } from '../present.ts'
import type { ServerRoom } from '../room.ts'
import { type Route, route } from '../route.ts'
import { hidingOthers } from '../within.ts'

export const pipelineRoutes: readonly Route[] = [
  route(operations.listPipelines, async ({ query: { limit, cursor }, within, actor, room }) => {
    const [after] = positionOf(cursor, ['text']) ?? []
    const rows = await listPipelines(room.reads, null, {
      pipelines: within.pipelines,
      after: after as string | undefined,
      limit: limit + 1,
    })
    const page = pageOfRows(rows, limit, ({ slug }) => [slug])
    return { items: await told(actor, room, page.items), next: page.next }
  }),

  route(operations.pipelineInventory, async ({ query: { limit, cursor }, room }) => {
    const [after] = positionOf(cursor, ['text']) ?? []
    const rows = await pipelineInventory(room.reads, { after: after as string | undefined, limit: limit + 1 })
    return pageOfRows(rows, limit, ({ slug }) => [slug])
  }),

  route(operations.showPipeline, async ({ params, actor, room }) => toldOne(actor, room, params.pipeline)),

  route(operations.listVersions, async ({ params, room }) => {
    await shown(room, params.pipeline)
    return { items: await listVersions(room.reads, params.pipeline) }
  }),

  route(operations.pipelineOutcomes, async ({ params, query: { since }, within, room }) => {
    refuseBound(within, 'tenant', 'It counts the runs of all tenants, and this key is bound to one.')
    const from = since === undefined ? null : new Date(since)
    return { items: await pipelineOutcomes(room.reads, params.pipeline, from) }
  }),

  route(operations.pausePipeline, async ({ params, body, caller, ifRevision, room, actor }) => ({
    changed: await presently(room, actor, params.pipeline, () =>
      pausePipeline(caller, params.pipeline, body.reason ?? null, ifRevision),
    ),
  })),

  route(operations.resumePipeline, async ({ params, caller, ifRevision, room, actor }) => ({
    changed: await presently(room, actor, params.pipeline, () =>
      resumePipeline(caller, params.pipeline, ifRevision),
    ),
  })),

  route(operations.activatePipeline, async ({ params, body, caller, ifRevision, room, actor }) => {
    await presently(room, actor, params.pipeline, () =>
      activatePipeline(caller, params.pipeline, body.version, ifRevision),
    )
    return undefined
  }),

  route(operations.splitPipeline, async ({ params, body, caller, ifRevision, room, actor }) => {
    await presently(room, actor, params.pipeline, () =>
      splitPipeline(caller, params.pipeline, body.shares, body.key ?? null, ifRevision),
    )
    return undefined
  }),

  route(operations.migrateRuns, async ({ params, body, caller }) => ({
    items: await migrateRuns(caller, {
      slug: params.pipeline,
      from: body.from,
      to: body.to ?? null,
      matching: body.matching === undefined ? null : checkJson(body.matching, { what: 'matching' }),
      runIds: body.runs ?? null,
      tenant: body.tenant ?? null,
      most: body.most,
      after: body.after ?? null,
      dry: body.dry_run,
    }),
  })),

  route(operations.listPausedKeys, async ({ query, within, room }) => ({
    items: await listPausedKeys(room.reads, query.pipeline ?? null, within),
  })),

  route(operations.resumeKey, async ({ params, body, caller }) => ({
    changed: await resumeKey(caller, params.pipeline, body.key, body.tenant ?? null),
  })),
]

/** Whoever is bound to a tenant learns nothing of the runs of others, and of those for whose failures one is paused only that they are. */
async function told(actor: Actor, { reads }: ServerRoom, rows: readonly PipelineRow[]) {
  const hiding = await hidingOthers(
    actor,
    reads,
    rows.flatMap((row) => row.pause_reason ?? []),
  )
  return rows.map((row) => ({
    ...row,
    pause_reason: row.pause_reason === null ? null : hiding(row.pause_reason),
    ...(actor.tenant === null ? {} : noRuns),
  }))
}

const noRuns = { live_runs: null, last_run_id: null, last_run_state: null, last_run_at: null } as const

async function toldOne(actor: Actor, room: ServerRoom, slug: string) {
  const [row] = await told(actor, room, [await shown(room, slug)])
  return row!
}

async function shown(room: ServerRoom, slug: string): Promise<PipelineRow> {
  const [row] = await listPipelines(room.reads, slug)
  if (row !== undefined) return row
  throw new MillraceError('pipeline_unknown', `There is no pipeline '${slug}'.`, {
    fields: { pipeline: slug },
  })
}

function presently<T>(room: ServerRoom, actor: Actor, slug: string, work: () => Promise<T>): Promise<T> {
  return withPresent(room, work, (outside) => toldOne(actor, outside, slug))
}
