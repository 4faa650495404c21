// The routes of schedules.
import type { Actor } from '../../api/access.ts'
import { operations } from '../../api/catalogue.ts'
import { type Cadence, checkCadence } from '../../core/cron.ts'
import { digestOf } from '../../core/digest.ts'
import { MillraceError } from '../../core/errors.ts'
import { checkJson } from '../../core/json.ts'
import type { FiringState } from '../../core/state.ts'
import {
  defineSchedule,
  type FiringRow,
  type LastFiring,
  listFirings,
  listSchedules,
  pauseSchedule,
  removeSchedule,
  resumeSchedule,
  type ScheduleRow,
  type ScheduleSettings,
  triggerSchedule,
} from '../../db/schedules.ts'
import { Schedules, unknownSchedule } from '../../sdk/schedules.ts'
import { presentWithin, withinBounds } from '../bound-definition.ts'
import { checkedInput } from '../checked-input.ts'
import { pageOfRows, positionOf } from '../page.ts'
import { withPresent } from '../present.ts'
import type { ServerRoom } from '../room.ts'
import { type Call, type Route, route } from '../route.ts'

export const scheduleRoutes: readonly Route[] = [
  route(operations.listSchedules, async ({ query, within, actor, room }) => {
    const { limit, cursor, pipeline = null, tenant = null } = query
    const [after] = positionOf(cursor, ['text']) ?? []
    const rows = await listSchedules(room.reads, {
      name: null,
      pipeline,
      tenant: within.tenant ?? tenant,
      pipelines: within.pipelines ?? undefined,
      after: (after as string | undefined) ?? null,
      most: limit + 1,
    })
    const page = pageOfRows(rows, limit, ({ name }) => [name])
    return { items: page.items.map((row) => told(row, actor)), next: page.next }
  }),

  route(operations.showSchedule, async ({ params, actor, room }) => {
    const row = await found(room, params.schedule)
    if (row === undefined) throw unknownSchedule(params.schedule)
    return told(row, actor)
  }),

  route(operations.nextSlots, async ({ params, query, room }) => {
    const slots = await new Schedules(() => Promise.resolve(room.reads)).next(params.schedule, query)
    return { items: slots.map(({ slot, firesAt, local }) => ({ slot, fires_at: firesAt, local })) }
  }),

  route(operations.listFirings, async ({ params, query, actor, room }) => {
    const { limit, cursor, state, before } = query
    const [behind] = positionOf(cursor, ['number']) ?? []
    const rows = await listFirings(room.reads, params.schedule, {
      states: state ?? null,
      before: (behind as number | undefined) ?? before ?? null,
      most: limit + 1,
    })
    if (rows.length === 0 && (await found(room, params.schedule)) === undefined)
      throw unknownSchedule(params.schedule)
    const page = pageOfRows(rows, limit, ({ id }) => [id])
    return { items: page.items.map((row) => toldFiring(row, actor)), next: page.next }
  }),

  route(operations.defineSchedule, async ({ params, body, within, actor, caller, ifRevision, room }) => {
    const { schedule: name } = params
    const { pipeline, ...settings } = body
    checkCadence(cadenceOf(name, settings))
    const isBound = within.tenant !== null || within.pipelines !== null
    if (isBound && settings.ping_secret !== undefined)
      throw new MillraceError(
        'not_allowed',
        'You may not do this. Secrets are of the installation, and this key is bound to a part of it.',
      )
    const standing = await found(room, name)
    refuseNewQuery(name, settings.expect, standing)
    return presently({ room, actor, within, name }, async () => {
      const bounds = await withinBounds(room, within, {
        kind: 'schedule',
        name,
        pipeline,
        tenant: settings.tenant,
        ifRevision,
        standing: () => Promise.resolve(standing?.revision ?? 0),
      })
      const input = await checkedInput(room, pipeline, settings.input)
      if (input !== undefined) checkJson(input, { what: `The input of schedule '${name}'` })
      // What the body leaves out is left out of the JSON that the database gets.
      const wanted = { ...settings, input, tenant: bounds.tenant } as ScheduleSettings
      const definition = { name, slug: pipeline, settings: wanted }
      return { revision: await defineSchedule(caller, definition, bounds.ifRevision) }
    })
  }),

  route(operations.removeSchedule, ({ params, caller, ifRevision, room, actor, within }) =>
    presently({ room, actor, within, name: params.schedule }, async () => ({
      changed: await removeSchedule(caller, params.schedule, ifRevision),
    })),
  ),

  route(operations.pauseSchedule, ({ params, body, caller, ifRevision, room, actor, within }) =>
    presently({ room, actor, within, name: params.schedule }, async () => ({
      changed: await pauseSchedule(caller, params.schedule, body.reason ?? null, ifRevision),
    })),
  ),

  route(operations.resumeSchedule, ({ params, caller, ifRevision, room, actor, within }) =>
    presently({ room, actor, within, name: params.schedule }, async () => ({
      changed: await resumeSchedule(caller, params.schedule, ifRevision),
    })),
  ),

  route(operations.triggerSchedule, async ({ params, body, caller, room }) => {
    const { overlap } = body
    const input = await firingInput(room, params.schedule, body.input)
    const answer = await triggerSchedule(caller, params.schedule, {
      input:
        input === undefined ? null : checkJson(input, { what: `The input of schedule '${params.schedule}'` }),
      overlap: overlap ?? null,
    })
    return { ...answer, state: answer.state as FiringState }
  }),

  route(operations.backfillSchedule, async ({ params, body, caller }) => {
    const { queued, firedBefore } = await new Schedules(() => Promise.resolve(caller)).backfill(
      params.schedule,
      {
        from: new Date(body.from),
        ...(body.until === undefined ? {} : { until: new Date(body.until) }),
        overlap: body.overlap === 'allow' ? 'allow' : 'queue all',
        stagger: body.stagger_ms,
        dryRun: body.dry_run,
      },
    )
    return { queued, fired_before: firedBefore }
  }),
]

type ListedSchedule = Omit<ScheduleRow, 'last'> & { readonly last: LastFiring | null }

async function found(room: ServerRoom, name: string): Promise<ListedSchedule | undefined> {
  const one = { name, pipeline: null, tenant: null, after: null, most: 1 }
  return (await listSchedules(room.reads, one))[0]
}

/** Held against the schema of what the schedule starts; undefined where none stands in for the schedule's own. @throws MillraceError input_invalid, schedule_unknown */
async function firingInput(room: ServerRoom, name: string, input: unknown): Promise<unknown> {
  if (input === undefined) return undefined
  const schedule = await found(room, name)
  if (schedule === undefined) throw unknownSchedule(name)
  return checkedInput(room, schedule.pipeline, input)
}

interface Change extends Pick<Call, 'room' | 'actor' | 'within'> {
  readonly name: string
}

function presently<T>({ room, actor, within, name }: Change, work: () => Promise<T>): Promise<T> {
  return withPresent(room, work, async (outside) => {
    const row = await presentWithin(outside, within, { kind: 'schedule', name }, () => found(outside, name))
    return row === null ? null : told(row, actor)
  })
}

function told({ last, ...row }: ListedSchedule, { payloads }: Actor) {
  return {
    ...row,
    input: payloads ? row.input : null,
    payloads_hidden: !payloads,
    last: last === null ? null : toldFiring(last, { payloads }),
  }
}

function toldFiring({ kind, state, ...row }: FiringRow | LastFiring, { payloads }: Pick<Actor, 'payloads'>) {
  return {
    ...row,
    kind: kind as 'scheduled' | 'catch_up' | 'backfill' | 'triggered',
    state: state as FiringState,
    verification: payloads ? row.verification : null,
  }
}

interface Times {
  readonly cron?: string | undefined
  readonly timezone?: string | undefined
  readonly every_ms?: number | undefined
}

/** The one thing that the database can't judge: whether a pattern and its time zone can be read. */
function cadenceOf(name: string, { cron, timezone, every_ms: everyMs }: Times): Cadence {
  if (cron !== undefined && everyMs === undefined)
    return { kind: 'cron', pattern: cron, timezone: timezone ?? 'UTC' }
  if (everyMs !== undefined && cron === undefined) return { kind: 'interval', everyMs, from: new Date(0) }
  throw new MillraceError(
    'schedule_invalid',
    `Schedule '${name}' is refused: it takes either cron or every_ms.`,
    {
      fields: { schedule: name },
    },
  )
}

/** Workers run such a query: whoever only speaks HTTP brings none, and may keep the one that stands. */
function refuseNewQuery(
  name: string,
  expect: object | undefined,
  standing: ListedSchedule | undefined,
): void {
  if (expect === undefined || !('query' in expect)) return
  const known = standing?.expect ?? undefined
  if (known !== undefined && digestOf(known) === digestOf(expect)) return
  throw new MillraceError(
    'schedule_invalid',
    `Schedule '${name}' is refused: no query comes by HTTP, and the one that it expects is another one.`,
    { fields: { schedule: name }, hint: 'Declare the schedule in code, or expect a value of the output.' },
  )
}
