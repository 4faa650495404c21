// The routes that follow what happens: a run, a list of runs, a queue.
import type { Access } from '../../api/access.ts'
import { operations } from '../../api/catalogue.ts'
import { followAccess } from '../../api/streams.ts'
import { type ErrorCode, MillraceError } from '../../core/errors.ts'
import { findOwner } from '../../db/owners.ts'
import type { StreamRow } from '../../db/streams.ts'
import { authorize } from '../authorize.ts'
import { eventStream, type EventStreamParts } from '../event-stream.ts'
import { tellQueue, tellRun, tellRuns } from '../followed.ts'
import type { Follower, Subject } from '../lookout.ts'
import { opened, payloadsFor, sealedRuns } from '../payloads.ts'
import { type Call, type Route, route } from '../route.ts'
import { errorFacts, stackOf } from '../server-log.ts'
import { tenantWithin } from '../within.ts'

/** How many runs of a list are followed. */
const followedMax = 50
/** Different lists that one server follows at a time: each is one more part of its look. */
const listsMax = 100

export const streamRoutes: readonly Route[] = [
  route(operations.followRun, async (call) => {
    const { run } = call.params
    if ((await findOwner(call.room.reads, 'run', run)) === undefined)
      throw new MillraceError('run_unknown', `There is no run ${run}.`, { fields: { runId: run } })
    const { room } = call
    return followed(call, { kind: 'run', key: `run ${run}`, asked: run }, (parts) =>
      tellRun({
        ...parts,
        run,
        reads: room.reads,
        partOf: (row, position) => partOf(call, run, row, position),
      }),
    )
  }),

  route(operations.followRuns, async (call) => {
    const { query, within, room } = call
    const asked = {
      pipeline: query.pipeline,
      states: query.state,
      tenant: tenantWithin(within, query.tenant),
      pipelines: within.pipelines ?? undefined,
      limit: followedMax,
    }
    const key = `list ${JSON.stringify(asked)}`
    if (!room.lookout.has(key) && room.lookout.count('list') >= listsMax)
      throw new MillraceError(
        'too_many_requests',
        `This server follows ${listsMax} lists, the most that it can. Try again later.`,
        { fields: { retry_after_seconds: 30 } },
      )
    return followed(call, { kind: 'list', key, asked }, tellRuns)
  }),

  route(operations.followQueue, async (call) => {
    const { queue } = call.params
    return followed(call, { kind: 'queue', key: `queue ${queue}`, asked: queue }, tellQueue)
  }),
]

interface Following {
  readonly follower: Follower
  readonly lastId: string | undefined
  readonly may: () => Promise<boolean>
}

function followed(
  call: Call,
  subject: Subject,
  tell: (following: Following) => EventStreamParts['events'],
): Response {
  const { room, actor, request, origin } = call
  const close = room.streams.open(actor, subject.kind === 'list' ? subject.key : undefined)
  const follower = room.lookout.follow(subject)
  const lastId = request.headers.get('last-event-id') ?? undefined
  const events = tell({ follower, lastId, may: stillMay(call, followAccess[subject.kind]) })
  const leave = (): void => {
    follower.leave()
    close()
  }
  return eventStream({
    events,
    leave,
    failed: (error) =>
      room.log({
        level: 'error',
        event: 'stream.failed',
        correlation_id: origin.correlationId,
        follows: subject.kind,
        ...errorFacts(error),
        stack: stackOf(error),
      }),
  })
}

/** A credential may end while its stream goes on: so it is looked at again before anything is told, once a second at most. */
function stillMay({ again, params, actor: before, room }: Call, access: Access): () => Promise<boolean> {
  let lookedAt = room.now()
  return async () => {
    if (room.now() - lookedAt < againMs) return true
    lookedAt = room.now()
    try {
      const actor = await again()
      if (actor !== undefined) await authorize(access, actor, params as Record<string, unknown>, room.reads)
      return actor !== undefined && (actor.payloads || !before.payloads)
    } catch (error) {
      if (error instanceof MillraceError && refusals.has(error.code)) return false
      throw error
    }
  }
}

/** What says that somebody may no more; anything else is a fault, which the log holds. */
const refusals: ReadonlySet<ErrorCode> = new Set(['not_signed_in', 'not_allowed', 'not_found'])
const againMs = 1_000

async function partOf({ actor, room }: Call, run: string, row: StreamRow, position: number) {
  const { step, item, attempt, written_at } = row
  const value = await opened(() => sealedRuns(room).said('stream', run, { step, item }, row.value), row.value)
  return {
    position,
    step,
    item: item < 0 ? null : item,
    attempt,
    written_at,
    ...payloadsFor(actor, { value }),
  }
}
