// Owns what an evaluation of a schedule comes to: which of its slots fire now, which came to nothing and why, and when it is due next.
import { type Cadence, checkCadence, nextSlots } from './cron.ts'
import { MillraceError } from './errors.ts'

/** What decides when a schedule is due, as it is stored. */
export interface ScheduleTimes {
  readonly cron?: string | null
  readonly timezone?: string | null
  readonly every_ms?: number | null
  readonly every_from?: Date | string | null
  readonly starts_at?: Date | string | null
  readonly ends_at?: Date | string | null
}

/** A schedule as its evaluation reads it. */
export interface EvaluatedSchedule extends ScheduleTimes {
  readonly id: number
  readonly revision: number
  readonly offset_ms: number
  readonly catch_up: 'none' | 'last' | 'all'
  readonly catch_up_max: number
  readonly catch_up_window_ms: number
  readonly stagger_ms: number
  readonly passed_from: Date | null
  readonly passed_until: Date | null
  /** The times that held until then, where they are not evaluated yet. */
  readonly former: (ScheduleTimes & { readonly until: string }) | null
  readonly evaluated_at: Date
}

type NothingReason = 'paused' | 'too_late' | 'too_many' | 'not_caught_up'

/** One slot that fires, or several in a row that came to nothing for one reason. */
interface EvaluatedFiring {
  readonly slot: Date
  readonly until: Date
  readonly slots: number
  readonly kind: 'scheduled' | 'catch_up'
  readonly reason: NothingReason | null
  /** Not before then. */
  readonly begins: Date | null
}

export interface Evaluation {
  readonly schedule: number
  readonly revision: number
  /** The watermark that it goes from, and the one that it goes to. */
  readonly from: Date
  readonly to: Date
  readonly next: Date | null
  readonly fault: { readonly code: string; readonly message: string } | null
  readonly firings: readonly EvaluatedFiring[]
}

/** A slot that is noticed this soon is not late: a worker that took over within it has missed nothing. */
const on_time_ms = 60_000

/** As many can be on time at once: slots lie a second apart. */
const on_time_slots = on_time_ms / 1_000 + 1

const day_ms = 86_400_000

/** As many slots that came to nothing are counted by one evaluation; the next goes on at once. */
const counted_slots = 1_000

/** What is due of a schedule at an instant. A pattern that can't be read is its fault, and not an error. */
export function evaluateSchedule(schedule: EvaluatedSchedule, at: Date): Evaluation {
  try {
    return evaluate(withReadableFormer(schedule), at.getTime())
  } catch (error) {
    return faultyEvaluation(schedule, error)
  }
}

/** Former times that can't be read were corrected by what followed them: they had no slots. */
function withReadableFormer(schedule: EvaluatedSchedule): EvaluatedSchedule {
  const { former, evaluated_at } = schedule
  if (former === null) return schedule
  try {
    slotsBetween(former, evaluated_at, { count: 1 })
    return schedule
  } catch {
    return {
      ...schedule,
      former: { every_ms: day_ms, every_from: former.until, ends_at: evaluated_at, until: former.until },
    }
  }
}

/** A schedule that can't be evaluated stays where it is, and says why. */
export function faultyEvaluation(schedule: EvaluatedSchedule, error: unknown): Evaluation {
  const { id, revision, evaluated_at: from } = schedule
  const code = error instanceof MillraceError ? error.code : 'schedule_invalid'
  const message = error instanceof Error ? error.message : String(error)
  return {
    schedule: id,
    revision,
    from,
    to: from,
    next: null,
    fault: { code, message: message.slice(0, 1_000) },
    firings: [],
  }
}

/** The slots of some times strictly after an instant, between their start and their end. */
export function slotsBetween(
  times: ScheduleTimes,
  after: Date,
  limits: { readonly count: number; readonly until?: Date },
): Date[] {
  const { starts_at, ends_at } = times
  const from = Math.max(after.getTime(), starts_at ? ms(starts_at) - 1 : Number.NEGATIVE_INFINITY)
  const until = Math.min(
    limits.until?.getTime() ?? Number.POSITIVE_INFINITY,
    ends_at ? ms(ends_at) : Number.POSITIVE_INFINITY,
  )
  if (from >= until) return []
  return nextSlots(cadenceOf(times), new Date(from), {
    count: limits.count,
    ...(Number.isFinite(until) ? { until: new Date(until) } : {}),
  })
}

function cadenceOf({ cron, timezone, every_ms, every_from }: ScheduleTimes): Cadence {
  if (cron) return { kind: 'cron', pattern: cron, timezone: timezone ?? 'UTC' }
  return { kind: 'interval', everyMs: every_ms ?? Number.NaN, from: new Date(every_from ?? Number.NaN) }
}

function evaluate(schedule: EvaluatedSchedule, at: number): Evaluation {
  const { id, revision, former, offset_ms, catch_up_max, evaluated_at: from } = schedule
  const dueUntil = at - offset_ms
  const formerUntil = former === null ? Number.POSITIVE_INFINITY : ms(former.until)
  const bound = Math.max(from.getTime(), Math.min(dueUntil, formerUntil))
  const times = former ?? schedule
  const most = counted_slots + catch_up_max + on_time_slots
  const slots = slotsBetween(times, from, { count: most, until: new Date(bound) })
  const isCut = slots.length >= most
  const told = isCut ? slots.slice(0, counted_slots) : slots
  const to = isCut ? told.at(-1)! : new Date(bound)
  const next = isCut ? slots[counted_slots]! : nextAfter(schedule, to, formerUntil)
  // Which of them are the last to be caught up depends on what is left to the evaluations that follow.
  const left = isCut ? unpassedSlots(schedule, to, new Date(bound)) : []
  const verdicts = judged(schedule, [...told, ...left], dueUntil).slice(0, told.length)
  return {
    schedule: id,
    revision,
    from,
    to,
    next,
    fault: null,
    firings: merged(verdicts).map((firing) => ({ ...firing, begins: beginning(firing, at) })),
  }
}

/** The slots after an instant that no pause took, as many as can matter to those before it. */
function unpassedSlots(schedule: EvaluatedSchedule, after: Date, until: Date): Date[] {
  const { former, catch_up_max, passed_from, passed_until } = schedule
  const times = former ?? schedule
  const count = catch_up_max + on_time_slots
  if (passed_from === null || passed_until === null) return slotsBetween(times, after, { count, until })
  const before = new Date(Math.min(until.getTime(), passed_from.getTime() - 1))
  const earlier = slotsBetween(times, after, { count, until: before })
  const resumed = new Date(Math.max(after.getTime(), passed_until.getTime()))
  return [...earlier, ...slotsBetween(times, resumed, { count: count - earlier.length, until })]
}

function nextAfter(schedule: EvaluatedSchedule, to: Date, formerUntil: number): Date | null {
  if (schedule.former === null) return firstAfter(schedule, to)
  if (to.getTime() < formerUntil) {
    const [slot] = slotsBetween(schedule.former, to, { count: 1, until: new Date(formerUntil) })
    // Where the former times have no slot left, what follows them is found when they are over.
    return slot ?? new Date(formerUntil)
  }
  try {
    return firstAfter(schedule, to)
  } catch {
    // What is wrong with the new times is told by the next evaluation, at once: this one has the slots of the former ones.
    return to
  }
}

/** Null once they are over; times that never had a slot are refused. */
function firstAfter(times: ScheduleTimes, after: Date): Date | null {
  const [slot] = slotsBetween(times, after, { count: 1 })
  if (slot === undefined) checkCadence(cadenceOf(times))
  return slot ?? null
}

interface JudgedSlot {
  readonly slot: Date
  readonly kind: 'scheduled' | 'catch_up'
  readonly reason: NothingReason | null
  /** Milliseconds after the evaluation. */
  readonly delayMs: number
}

/** Paused ones pass; those on time fire; what becomes of late ones is the schedule's policy. */
function judged(schedule: EvaluatedSchedule, slots: readonly Date[], dueUntil: number): JudgedSlot[] {
  const { catch_up, catch_up_max, catch_up_window_ms, stagger_ms, passed_from, passed_until } = schedule
  const isPassed = (slot: Date) =>
    passed_from !== null && passed_until !== null && slot >= passed_from && slot <= passed_until
  const isLate = (slot: Date) => dueUntil - slot.getTime() > on_time_ms
  const isCaught = (slot: Date) => dueUntil - slot.getTime() <= catch_up_window_ms
  const late = slots.filter((slot) => !isPassed(slot) && isLate(slot) && isCaught(slot))
  const hasOnTime = slots.some((slot) => !isPassed(slot) && !isLate(slot))
  const wanted = catch_up === 'all' ? catch_up_max : catch_up === 'last' && !hasOnTime ? 1 : 0
  const caught = wanted === 0 ? [] : late.slice(-wanted)
  return slots.map((slot) => {
    if (isPassed(slot)) return { slot, kind: 'scheduled', reason: 'paused', delayMs: 0 }
    if (!isLate(slot)) return { slot, kind: 'scheduled', reason: null, delayMs: 0 }
    const place = caught.indexOf(slot)
    if (place >= 0) return { slot, kind: 'catch_up', reason: null, delayMs: place * stagger_ms }
    if (catch_up === 'none') return { slot, kind: 'scheduled', reason: 'not_caught_up', delayMs: 0 }
    if (!isCaught(slot)) return { slot, kind: 'scheduled', reason: 'too_late', delayMs: 0 }
    return { slot, kind: 'scheduled', reason: catch_up === 'all' ? 'too_many' : 'not_caught_up', delayMs: 0 }
  })
}

/** Slots in a row that came to nothing for one reason are one row. */
function merged(
  slots: readonly JudgedSlot[],
): Array<Omit<EvaluatedFiring, 'begins'> & { readonly delayMs: number }> {
  const rows: Array<Omit<EvaluatedFiring, 'begins'> & { readonly delayMs: number }> = []
  for (const { slot, kind, reason, delayMs } of slots) {
    const before = rows.at(-1)
    if (before !== undefined && reason !== null && before.reason === reason)
      rows[rows.length - 1] = { ...before, until: slot, slots: before.slots + 1 }
    else rows.push({ slot, until: slot, slots: 1, kind, reason, delayMs })
  }
  return rows
}

function beginning({ delayMs }: { readonly delayMs: number }, at: number): Date | null {
  return delayMs === 0 ? null : new Date(at + delayMs)
}

function ms(time: Date | string): number {
  return new Date(time).getTime()
}
