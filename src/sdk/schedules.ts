// What applications do with schedules: define them for each tenant, steer them, fire them by hand, and read what became of each firing.
import { localTime } from '../core/cron.ts'
import { type Duration, durationMs } from '../core/duration.ts'
import { slotsBetween } from '../core/due-slots.ts'
import { MillraceError } from '../core/errors.ts'
import { checkJson } from '../core/json.ts'
import type { FiringState } from '../core/state.ts'
import type { Caller } from '../db/call.ts'
import { readClock } from '../db/diagnosis.ts'
import {
  backfillSchedule,
  defineSchedule,
  type FiringRow,
  type LastFiring,
  listFirings,
  listSchedules,
  pauseSchedule,
  removeSchedule,
  resumeSchedule,
  type ScheduleRow,
  triggerSchedule,
} from '../db/schedules.ts'
import {
  type Overlap,
  schedule,
  scheduleDefinition,
  type ScheduleOptions,
  storedOverlap,
  storedOverlaps,
} from './schedule.ts'
import type { Startable } from './startable.ts'

/** A time of a schedule that has come, and what became of it. */
export interface Firing {
  readonly id: number
  /** The time by the schedule; of one that was triggered, when that was. */
  readonly slot: Date
  /** Where it stands for several slots that came to nothing: how many, and the last of them. */
  readonly slots: number
  readonly untilSlot: Date | null
  readonly kind: 'scheduled' | 'catch_up' | 'backfill' | 'triggered'
  readonly state: FiringState
  /** Why nothing was started, or how it failed. */
  readonly reason: string | null
  /** Of a refused start: the word of its answer. */
  readonly refusal: string | null
  readonly runId: string | null
  /** The run that stood in its way. */
  readonly blockedBy: string | null
  /** Milliseconds after it was due. */
  readonly lateMs: number
  readonly firedAt: Date
  readonly firedBy: string
  readonly startedAt: Date | null
  readonly endedAt: Date | null
  /** Since when nothing of it is open: of an expectation, when it was seen. */
  readonly closedAt: Date | null
  readonly deadlineAt: Date | null
  /** Since when it is without an end beyond its deadline; it stays when the end comes. */
  readonly overdueAt: Date | null
  readonly verifiedAt: Date | null
  /** What was found of what is expected. */
  readonly verification: unknown
  readonly error: { readonly code?: string; readonly message?: string } | null
}

export interface ScheduleInfo
  extends Pick<
    ScheduleRow,
    | 'name'
    | 'pipeline'
    | 'tenant'
    | 'cron'
    | 'timezone'
    | 'input'
    | 'priority'
    | 'source'
    | 'revision'
    | 'fault'
    | 'failures'
    | 'expect'
  > {
  readonly everyMs: number | null
  /** Of an interval: from when it is counted. */
  readonly from: Date | null
  readonly startsAt: Date | null
  readonly endsAt: Date | null
  readonly jitterMs: number
  /** How long after its slots it fires, which its name and the jitter decide. */
  readonly offsetMs: number
  readonly overlap: Overlap
  readonly catchUp: {
    readonly slots: 'none' | 'last' | 'all'
    readonly max: number
    readonly windowMs: number
    readonly staggerMs: number
  }
  readonly deadlineMs: number | null
  readonly pauseAfter: number | null
  readonly ping: { readonly url: string } | { readonly secret: string } | null
  /** Why the last ping could not be sent; null once one was. */
  readonly pingError: string | null
  readonly changedAt: Date
  readonly changedBy: string
  readonly paused: { readonly at: Date; readonly by: string; readonly reason: string | null } | null
  /** Null while it is paused, faulty, or has no time ahead. */
  readonly nextSlot: Date | null
  readonly lastFiring: Firing | null
}

export interface NextSlot {
  readonly slot: Date
  /** When it fires: the slot and the schedule's offset. */
  readonly firesAt: Date
  /** The slot as the clock in its zone shows it, with the offset of that day. */
  readonly local: string
}

export interface ScheduleListOptions {
  readonly pipeline?: string
  readonly tenant?: string
  /** By name, after this one: the last of the page before. */
  readonly after?: string
  /** 100 unless told, 1,000 at most. */
  readonly most?: number
}

export interface BackfillOptions {
  /** Slots from there, itself included. */
  readonly from: Date
  /** Until there, itself included; until now unless told. */
  readonly until?: Date
  /** One after another, or side by side; 'queue all' unless told. */
  readonly overlap?: 'queue all' | 'allow'
  /** So long after each other. */
  readonly stagger?: Duration
  /** Only say how many. */
  readonly dryRun?: boolean
}

export interface BackfillAnswer {
  /** How many slots are fired, or would be. */
  readonly queued: number
  /** How many had a run already, and are left as they are. */
  readonly firedBefore: number
}

export interface TriggerAnswer {
  readonly firing: number
  readonly state: FiringState
  readonly run: { readonly id: string } | null
  readonly reason: string | null
  readonly refusal: string | null
  readonly blockedBy: string | null
  readonly error: { readonly code: string; readonly message: string } | null
}

interface RevisionOption {
  /** The revision on which the change was decided; 0 where there was none. */
  readonly ifRevision?: number
}

const backfill_most = 10_000

export class Schedules {
  readonly #caller: () => Promise<Caller>

  constructor(caller: () => Promise<Caller>) {
    this.#caller = caller
  }

  /**
   * Defines a schedule, or changes it; answers its revision. From then on it is an operator's, and what code declares under the same name changes nothing.
   * Its input is held against the schema of the pipeline where that itself is given; by its name alone it is taken as it is.
   *
   * @throws MillraceError schedule_invalid, input_invalid, pipeline_unknown, revision_conflict
   */
  async define<const P extends Startable>(
    name: string,
    options: ScheduleOptions<P>,
    { ifRevision }: RevisionOption = {},
  ): Promise<{ readonly revision: number }> {
    const definition = await scheduleDefinition(schedule(name, options))
    return { revision: await defineSchedule(await this.#caller(), definition, ifRevision) }
  }

  /** The schedules that are not removed, by name. */
  async list({ pipeline, tenant, after, most = 100 }: ScheduleListOptions = {}): Promise<ScheduleInfo[]> {
    const rows = await this.#rows({
      name: null,
      pipeline: pipeline ?? null,
      tenant: tenant ?? null,
      after: after ?? null,
      most: Math.max(1, Math.min(most, 1_000)),
    })
    return rows.map(infoOf)
  }

  /** @throws MillraceError schedule_unknown */
  async get(name: string): Promise<ScheduleInfo> {
    return infoOf(await this.#row(name))
  }

  /** Undefined where there is none, or it was removed. */
  async find(name: string): Promise<ScheduleInfo | undefined> {
    const row = await this.#find(name)
    return row === undefined ? undefined : infoOf(row)
  }

  /** The times that are ahead: 5 unless told, at most 1,000. @throws MillraceError schedule_unknown, schedule_invalid */
  async next(name: string, { count = 5 }: { readonly count?: number } = {}): Promise<NextSlot[]> {
    const row = await this.#row(name)
    const after = new Date(row.at.getTime() - row.offset_ms)
    return slotsBetween(row, after, { count: Math.max(1, Math.min(count, 1_000)) }).map((slot) => ({
      slot,
      firesAt: new Date(slot.getTime() + row.offset_ms),
      local: localTime(slot, row.timezone ?? 'UTC'),
    }))
  }

  /** Its slots pass until it is resumed. True where it was not paused. @throws MillraceError schedule_unknown, revision_conflict */
  async pause(
    name: string,
    { reason, ifRevision }: RevisionOption & { readonly reason?: string } = {},
  ): Promise<boolean> {
    return pauseSchedule(await this.#caller(), name, reason ?? null, ifRevision)
  }

  /** True where it was paused. @throws MillraceError schedule_unknown, revision_conflict */
  async resume(name: string, { ifRevision }: RevisionOption = {}): Promise<boolean> {
    return resumeSchedule(await this.#caller(), name, ifRevision)
  }

  /** It fires no more, and what is queued never begins; its firings stay. True where there was one. @throws MillraceError revision_conflict */
  async remove(name: string, { ifRevision }: RevisionOption = {}): Promise<boolean> {
    return removeSchedule(await this.#caller(), name, ifRevision)
  }

  /**
   * Fires it now, beside its slots, also while it is paused. Its own overlap holds unless another one is given; an input stands in for its own,
   * and is taken as it is: a schedule knows its pipeline by name.
   *
   * @throws MillraceError schedule_unknown, schedule_invalid, json_invalid
   */
  async trigger(
    name: string,
    { input, overlap }: { readonly input?: unknown; readonly overlap?: Overlap } = {},
  ): Promise<TriggerAnswer> {
    const { firing_id, run_id, blocked_by, ...told } = await triggerSchedule(await this.#caller(), name, {
      input: input === undefined ? null : checkJson(input, { what: `The input of schedule '${name}'` }),
      overlap: overlap === undefined ? null : storedOverlap(name, overlap),
    })
    return {
      ...told,
      state: told.state as FiringState,
      firing: firing_id,
      run: run_id === null ? null : { id: run_id },
      blockedBy: blocked_by,
    }
  }

  /**
   * Fires slots of the past that came to nothing or were never due, at most 10,000: one after another, and in nobody's way.
   *
   * @throws MillraceError schedule_unknown, schedule_invalid
   */
  async backfill(name: string, options: BackfillOptions): Promise<BackfillAnswer> {
    const { from, until, overlap = 'queue all', stagger = 0, dryRun = false } = options
    const row = await this.#row(name)
    const end = until === undefined || until > row.at ? row.at : until
    const slots = slotsBetween(row, new Date(from.getTime() - 1), { count: backfill_most + 1, until: end })
    if (slots.length > backfill_most)
      throw new MillraceError(
        'schedule_invalid',
        `Schedule '${name}' has more than 10,000 slots between ${from.toISOString()} and ${end.toISOString()}.`,
        { fields: { schedule: name }, hint: 'Fill a shorter time, and the rest afterwards.' },
      )
    const { queued, fired_before } = await backfillSchedule(await this.#caller(), name, slots, {
      overlap: overlap === 'allow' ? 'allow' : 'queue_all',
      staggerMs: durationMs(stagger, 'The stagger of the backfill'),
      dryRun,
    })
    return { queued, firedBefore: fired_before }
  }

  /** Its firings, the latest first: 50 unless told, at most 1,000; also where it was removed. @throws MillraceError schedule_unknown */
  async firings(
    name: string,
    {
      states,
      before,
      most = 50,
    }: { readonly states?: readonly FiringState[]; readonly before?: number; readonly most?: number } = {},
  ): Promise<Firing[]> {
    const rows = await listFirings(await this.#caller(), name, {
      states: states ?? null,
      before: before ?? null,
      most: Math.max(1, Math.min(most, 1_000)),
    })
    if (rows.length === 0) await this.#row(name)
    return rows.map(firingOf)
  }

  async #row(name: string): Promise<Row> {
    const row = await this.#find(name)
    if (row === undefined) throw unknownSchedule(name)
    return row
  }

  async #find(name: string): Promise<Row | undefined> {
    const [row] = await this.#rows({ name, pipeline: null, tenant: null, after: null, most: 1 })
    return row
  }

  async #rows(filter: Parameters<typeof listSchedules>[1]): Promise<Row[]> {
    const caller = await this.#caller()
    const at = await readClock(caller)
    return (await listSchedules(caller, filter)).map((row) => ({ ...row, at }))
  }
}

export function unknownSchedule(name: string): MillraceError {
  return new MillraceError('schedule_unknown', `There is no schedule '${name.slice(0, 200)}'.`, {
    fields: { schedule: name },
  })
}

/** As it stands at this time of the database. */
type Row = Omit<ScheduleRow, 'last'> & { readonly last: LastFiring | null; readonly at: Date }

const overlapWords = Object.fromEntries(
  Object.entries(storedOverlaps).map(([word, stored]) => [stored, word]),
) as Record<ScheduleRow['overlap'], Overlap>

function infoOf(row: Row): ScheduleInfo {
  const {
    name,
    pipeline,
    tenant,
    cron,
    timezone,
    input,
    priority,
    source,
    revision,
    fault,
    failures,
    expect,
  } = row
  return {
    ...{ name, pipeline, tenant, cron, timezone, input, priority, source, revision, fault, failures, expect },
    everyMs: row.every_ms,
    from: row.every_from,
    startsAt: row.starts_at,
    endsAt: row.ends_at,
    jitterMs: row.jitter_ms,
    offsetMs: row.offset_ms,
    overlap: overlapWords[row.overlap],
    catchUp: {
      slots: row.catch_up,
      max: row.catch_up_max,
      windowMs: row.catch_up_window_ms,
      staggerMs: row.stagger_ms,
    },
    deadlineMs: row.deadline_ms,
    pauseAfter: row.pause_after,
    pingError: row.ping_error,
    ping:
      row.ping_url === null
        ? row.ping_secret === null
          ? null
          : { secret: row.ping_secret }
        : { url: row.ping_url },
    changedAt: row.changed_at,
    changedBy: row.changed_by,
    paused:
      row.paused_at === null
        ? null
        : { at: row.paused_at, by: row.paused_by ?? '', reason: row.pause_reason },
    nextSlot: nextSlotOf(row),
    lastFiring: row.last === null ? null : firingOf(row.last),
  }
}

/** As it is stored; of one that no worker has evaluated since it was defined, as it will be. */
function nextSlotOf(row: Row): Date | null {
  if (row.paused_at !== null || row.fault !== null) return null
  if (row.next_slot_at !== null) return row.next_slot_at
  try {
    return slotsBetween(row, new Date(row.at.getTime() - row.offset_ms), { count: 1 })[0] ?? null
  } catch {
    // Its first evaluation says what is wrong with it.
    return null
  }
}

function firingOf(row: FiringRow | LastFiring): Firing {
  return {
    id: row.id,
    slot: new Date(row.slot_at),
    slots: row.slots,
    untilSlot: date(row.until_slot_at),
    kind: row.kind as Firing['kind'],
    state: row.state as FiringState,
    reason: row.reason,
    refusal: row.refusal,
    runId: row.run_id,
    blockedBy: row.blocked_by,
    lateMs: row.late_ms,
    firedAt: new Date(row.fired_at),
    firedBy: row.fired_by,
    startedAt: date(row.started_at),
    endedAt: date(row.ended_at),
    closedAt: date(row.closed_at),
    deadlineAt: date(row.deadline_at),
    overdueAt: date(row.overdue_at),
    verifiedAt: date(row.verified_at),
    verification: row.verification,
    error: row.error,
  }
}

function date(time: Date | string | null): Date | null {
  return time === null ? null : new Date(time)
}
