// Owns when a schedule is due: cron patterns in a time zone with one rule for clock changes, and plain intervals. The rule is in docs/schedules.md.
import { Cron, CronPattern } from 'croner'
import { MillraceError } from './errors.ts'

/** When something recurs: by the clock on a wall, or each so many milliseconds of real time, counted from an instant. */
export type Cadence =
  | { readonly kind: 'cron'; readonly pattern: string; readonly timezone: string }
  | { readonly kind: 'interval'; readonly everyMs: number; readonly from: Date }

export interface SlotLimits {
  /** At most so many. */
  readonly count: number
  /** None later than this one, which may itself be a slot. */
  readonly until?: Date
}

const second_ms = 1_000
const day_ms = 86_400_000
const every_ms_max = 366 * day_ms
const pattern_chars_max = 200

/** Farther than clocks are ever moved at once: a day, where the date line was crossed. */
const shift_ms_max = 26 * 3_600_000

/** Refuses what can never be due, with the field and its position. Throws `schedule_invalid`. */
export function checkCadence(cadence: Cadence): void {
  if (cadence.kind === 'interval') return checkInterval(cadence)
  const pattern = compile(cadence.pattern)
  offsetsOf(cadence.timezone)
  // The search ends in the year 10000, and any year to begin with tells the same.
  if (pattern.next(0) === undefined) {
    throw new MillraceError(
      'schedule_invalid',
      `The pattern ${JSON.stringify(cadence.pattern)} names a day that no year has, so it would never be due.`,
      { fields: { pattern: cadence.pattern } },
    )
  }
}

/**
 * The next slots strictly after an instant, in order, each once. Throws `schedule_invalid` for a pattern or a zone that `checkCadence` refuses: also for one that
 * this machine's zone database lacks.
 */
export function nextSlots(cadence: Cadence, after: Date, limits: SlotLimits): Date[] {
  const until = limits.until?.getTime() ?? Number.POSITIVE_INFINITY
  const slots: Date[] = []
  if (limits.count < 1) return slots
  for (const slot of slotsAfter(cadence, after.getTime())) {
    if (slot > until) break
    slots.push(new Date(slot))
    if (slots.length >= limits.count) break
  }
  return slots
}

/** An instant as the clock in a zone shows it, with its offset: `2026-10-25T02:30:00+02:00`. Throws `schedule_invalid` for a zone that is not known. */
export function localTime(instant: Date, timezone: string): string {
  const offset = offsetsOf(timezone)(instant.getTime())
  const wall = new Date(instant.getTime() + offset).toISOString().slice(0, 19)
  const minutes = Math.round(Math.abs(offset) / 60_000)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${wall}${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}

function slotsAfter(cadence: Cadence, after: number): Iterable<number> {
  if (cadence.kind === 'cron') return cronSlots(compile(cadence.pattern), offsetsOf(cadence.timezone), after)
  checkInterval(cadence)
  return intervalSlots(cadence.from.getTime(), cadence.everyMs, after)
}

function checkInterval(cadence: Extract<Cadence, { kind: 'interval' }>): void {
  const { everyMs, from } = cadence
  if (!Number.isSafeInteger(everyMs) || everyMs < second_ms || everyMs > every_ms_max) {
    throw new MillraceError(
      'schedule_invalid',
      `An interval is a whole number of milliseconds from ${second_ms} to ${every_ms_max} (366 days), not ${everyMs}.`,
      { fields: { every_ms: everyMs } },
    )
  }
  if (Number.isNaN(from.getTime())) {
    throw new MillraceError('schedule_invalid', 'The instant from which an interval is counted is no date.')
  }
}

function* intervalSlots(from: number, everyMs: number, after: number): Generator<number> {
  const passed = after < from ? 0 : Math.floor((after - from) / everyMs) + 1
  for (let slot = from + passed * everyMs; ; slot += everyMs) yield slot
}

/**
 * Walks along real time, a stretch of one offset after the other. Within a stretch the clock on the wall runs evenly, and what the pattern names is due when
 * it shows that. Between two stretches the rule decides about what the clock left out or shows again.
 */
function* cronSlots(pattern: Pattern, offsetAt: Offsets, after: number): Generator<number> {
  let at = after
  let offset = offsetAt(at)
  /** What the wall showed up to here has been told, or is not to be. */
  let told = toldBefore(pattern, offsetAt, after)
  for (;;) {
    const match = pattern.next(told)
    if (match === undefined) return
    if (match - offset - at > 2 * shift_ms_max) {
      at = match - offset - 2 * shift_ms_max
      offset = offsetAt(at)
    }
    const end = Math.min(match - offset, at + day_ms)
    if (offsetAt(end) === offset) {
      at = end
      if (end !== match - offset) continue
      told = match
      yield end
      continue
    }
    const change = findChange(offsetAt, at, end)
    const before = change + offset
    at = change
    offset = offsetAt(change)
    const shown = change + offset
    if (shown < before) told = pattern.repeats ? shown - second_ms : Math.max(told, before - second_ms)
    else if (match < shown && pattern.makesUp) {
      told = shown
      yield change
    } else if (match < shown) told = shown - second_ms
  }
}

/** After a clock was put back, what it showed before then is not due again for a fixed time. */
function toldBefore(pattern: Pattern, offsetAt: Offsets, after: number): number {
  const offset = offsetAt(after)
  const earlier = offsetAt(after - shift_ms_max)
  if (pattern.repeats || earlier <= offset) return after + offset
  const change = findChange(offsetAt, after - shift_ms_max, after)
  return Math.max(after + offset, change + earlier - second_ms)
}

/** The first instant, to a second, with another offset than at `from`; there is one by `to`. */
function findChange(offsetAt: Offsets, from: number, to: number): number {
  const offset = offsetAt(from)
  let low = Math.floor(from / second_ms)
  let high = Math.ceil(to / second_ms)
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetAt(middle * second_ms) === offset) low = middle
    else high = middle
  }
  return high * second_ms
}

/** A pattern that was read. Times are those of the wall, written as if it hung in Greenwich. */
interface Pattern {
  readonly next: (after: number) => number | undefined
  /** Runs again in an hour that comes twice. */
  readonly repeats: boolean
  /** Runs once for what lies in an hour that is left out. */
  readonly makesUp: boolean
}

/** Reading a pattern or a zone takes longer than using it, so as many as this are kept. */
const memory_max = 1_000
const compiled = new Map<string, Pattern>()

function compile(text: string): Pattern {
  const known = compiled.get(text)
  if (known !== undefined) return known
  const pattern = readPattern(text)
  if (compiled.size >= memory_max) compiled.clear()
  compiled.set(text, pattern)
  return pattern
}

const mode = '5-or-6-parts'

function readPattern(text: string): Pattern {
  const fields = checkFields(text)
  const cron = new Cron(text, { utcOffset: 0, mode })
  const { hour, minute, second } = new CronPattern(text, undefined, { mode })
  const everyHour = hour.every(isSet)
  // `0-59` is all minutes as well, without a star.
  const allWithinHours = minute.every(isSet) || second.every(isSet)
  const stepsWithinHours = fields.slice(0, -4).some((field) => /[*?/]/.test(field.text))
  return {
    next: (after) => cron.nextRun(new Date(after))?.getTime(),
    repeats: everyHour || allWithinHours || stepsWithinHours,
    makesUp: !everyHour,
  }
}

const isSet = (set: number): boolean => set === 1

interface Field {
  readonly text: string
  /** Counted from 1. */
  readonly position: number
}

const nicknames: ReadonlySet<string> = new Set([
  '@yearly',
  '@annually',
  '@monthly',
  '@weekly',
  '@daily',
  '@midnight',
  '@hourly',
])

const field_rules = [
  { name: 'second', takes: 'takes 0-59' },
  { name: 'minute', takes: 'takes 0-59' },
  { name: 'hour', takes: 'takes 0-23' },
  {
    name: 'day of month',
    takes: 'takes 1-31, L for the last day, LW for the last weekday, 15W for the one nearest',
  },
  { name: 'month', takes: 'takes 1-12 or JAN-DEC' },
  {
    name: 'day of week',
    takes: 'takes 0-7 (0 and 7 are Sunday) or SUN-SAT, FRI#2 for the second, FRIL for the last of a month',
  },
] as const

/** The fields of a pattern, or the sentence that says which of them can't be read. A nickname has none. */
function checkFields(text: string): readonly Field[] {
  if (text.length > pattern_chars_max) {
    throw refused(
      text.slice(0, pattern_chars_max),
      `A pattern is at most ${pattern_chars_max} characters long.`,
    )
  }
  if (text.trim().startsWith('@')) return checkNickname(text)
  const fields = [...text.matchAll(/\S+/g)].map((found) => ({ text: found[0], position: found.index + 1 }))
  if (fields.length !== 5 && fields.length !== 6) {
    throw refused(
      text,
      `The pattern ${JSON.stringify(text)} has ${fields.length} fields. It takes five (minute, hour, day of month, month, day of week), or six with seconds before them.`,
    )
  }
  fields.forEach((field, index) => checkField(text, field, index + field_rules.length - fields.length))
  return fields
}

function checkNickname(text: string): readonly Field[] {
  const name = text.trim().toLowerCase()
  if (nicknames.has(name)) return []
  const why =
    name === '@reboot'
      ? '@reboot is no time: a database has no start that a schedule could mean.'
      : `${JSON.stringify(text)} is no name of a cadence. There are ${[...nicknames].join(', ')}; for a plain interval use \`every\`.`
  throw refused(text, why, { position: text.indexOf('@') + 1 })
}

/** Each entry of a list is tried alone, so that the position is that of the one that's wrong; then the list, of which some entries can be no part. */
function checkField(pattern: string, field: Field, index: number): void {
  const rule = field_rules[index]
  const unread = (text: string, position: number, why: string): MillraceError =>
    refused(
      pattern,
      `The ${rule?.name} ${JSON.stringify(text)} at position ${position} of ${JSON.stringify(pattern)} can't be read: ${why}.`,
      { field: rule?.name, position },
    )
  let position = field.position
  for (const entry of field.text.split(',')) {
    if (entry === '' || !isReadable(entry, index))
      throw unread(
        entry,
        position,
        `this field ${rule?.takes}, and lists, ranges and steps of them (1,5 or 1-5 or */5 or 10-40/5)`,
      )
    position += entry.length + 1
  }
  if (!isReadable(field.text, index))
    throw unread(
      field.text,
      field.position,
      'in a list LW has no place, and a + stands only at its beginning',
    )
}

/** Whether a field can be read, as the pattern's only one that says something. */
function isReadable(text: string, index: number): boolean {
  try {
    const fields = field_rules.map((_, other) => (other === index ? text : '*'))
    new CronPattern(fields.join(' '), undefined, { mode })
    return true
  } catch {
    return false
  }
}

const refused = (pattern: string, message: string, fields: Readonly<Record<string, unknown>> = {}) =>
  new MillraceError('schedule_invalid', message, { fields: { pattern, ...fields } })

/** How far a zone's clocks are ahead of UTC at an instant, in milliseconds. */
type Offsets = (instant: number) => number

const offsets_by_zone = new Map<string, Offsets>()

function offsetsOf(timezone: string): Offsets {
  const known = offsets_by_zone.get(timezone)
  if (known !== undefined) return known
  const format = zoneFormat(timezone)
  const offsetAt = (instant: number): number => {
    const found = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(format.format(instant))
    const [, sign, hours, minutes, seconds = '0'] = found ?? []
    if (sign === undefined) return 0
    const size = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * second_ms
    return sign === '-' ? -size : size
  }
  if (offsets_by_zone.size >= memory_max) offsets_by_zone.clear()
  offsets_by_zone.set(timezone, offsetAt)
  return offsetAt
}

function zoneFormat(timeZone: string): Intl.DateTimeFormat {
  try {
    // An offset such as +02:00 is no zone: it would be wrong for half of the year, silently.
    if (/^[a-z]/i.test(timeZone))
      return new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' })
  } catch {
    // Said below.
  }
  throw new MillraceError(
    'schedule_invalid',
    `The time zone ${JSON.stringify(timeZone.slice(0, 100))} is not in the zone database of this machine. Use a name like Europe/Berlin, America/New_York or UTC.`,
    { fields: { timezone: timeZone.slice(0, 100) } },
  )
}
