// Cron patterns and clock changes: what each field means, the one rule for every zone, and other libraries that agree as far as they can.
import { Cron } from 'croner'
import { CronExpressionParser } from 'cron-parser'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Cadence, checkCadence, localTime, nextSlots } from './cron.ts'
import type { MillraceError } from './errors.ts'
import { isLong } from '../../test/faults/effects.ts'

const cron = (pattern: string, timezone = 'UTC'): Cadence => ({ kind: 'cron', pattern, timezone })

const slots = (cadence: Cadence, after: string, count: number): string[] =>
  nextSlots(cadence, new Date(after), { count }).map((slot) => slot.toISOString().replace(':00.000Z', 'Z'))

const refusal = (cadence: Cadence): MillraceError => {
  try {
    checkCadence(cadence)
  } catch (error) {
    return error as MillraceError
  }
  throw new Error(`${JSON.stringify(cadence)} was not refused`)
}

describe('D6 an hour that comes twice', () => {
  test('a fixed time runs once, at the first of the two', () => {
    const berlin = cron('30 2 * * *', 'Europe/Berlin')
    expect(slots(berlin, '2026-10-24T12:00:00Z', 2)).toEqual(['2026-10-25T00:30Z', '2026-10-26T01:30Z'])
    const howe = cron('45 1 * * *', 'Australia/Lord_Howe')
    expect(slots(howe, '2026-04-03T15:00:00Z', 2)).toEqual(['2026-04-04T14:45Z', '2026-04-05T15:15Z'])
  })

  test('a fixed time that has run is not due again when asked in the second hour', () => {
    const berlin = cron('30 2 * * *', 'Europe/Berlin')
    for (const after of ['2026-10-25T00:30:00Z', '2026-10-25T01:10:00Z', '2026-10-25T01:29:59.500Z'])
      expect(slots(berlin, after, 1), after).toEqual(['2026-10-26T01:30Z'])
  })

  test('each quarter of an hour is a real one', () => {
    const quarters = slots(cron('*/15 * * * *', 'Europe/Berlin'), '2026-10-24T23:00:00Z', 20)
    expect(new Set(quarters.slice(1).map((at, i) => Date.parse(at) - Date.parse(quarters[i] ?? '')))).toEqual(
      new Set([15 * 60_000]),
    )
  })

  test('a list of minutes in every hour runs in both, steps in certain hours too', () => {
    expect(slots(cron('0,30 * * * *', 'Europe/Berlin'), '2026-10-25T00:00:00Z', 3)).toEqual([
      '2026-10-25T00:30Z',
      '2026-10-25T01:00Z',
      '2026-10-25T01:30Z',
    ])
    expect(slots(cron('*/30 2 * * *', 'Europe/Berlin'), '2026-10-24T20:00:00Z', 4)).toEqual([
      '2026-10-25T00:00Z',
      '2026-10-25T00:30Z',
      '2026-10-25T01:00Z',
      '2026-10-25T01:30Z',
    ])
  })

  test.each(['* 2 * * *', '0-59 2 * * *', '0-29,30-59 2 * * *', '0-59 0 2 * * *'])(
    'all minutes or seconds of certain hours run in both, however they are written: %s',
    (pattern) => {
      const night = { count: 500, until: new Date('2026-10-25T12:00:00Z') }
      const due = nextSlots(cron(pattern, 'Europe/Berlin'), new Date('2026-10-24T12:00:00Z'), night)
      expect(due).toHaveLength(120)
    },
  )
})

describe('D7 an hour that is left out', () => {
  test('a fixed time runs once, at the first instant after it', () => {
    const berlin = cron('30 2 * * *', 'Europe/Berlin')
    expect(slots(berlin, '2026-03-28T12:00:00Z', 2)).toEqual(['2026-03-29T01:00Z', '2026-03-30T00:30Z'])
    expect(slots(berlin, '2026-03-29T01:00:00Z', 1)).toEqual(['2026-03-30T00:30Z'])
  })

  test('several times in it are one run, and so is the time right after it', () => {
    const berlin = cron('0,20,40 2-3 * * *', 'Europe/Berlin')
    expect(slots(berlin, '2026-03-28T12:00:00Z', 3)).toEqual([
      '2026-03-29T01:00Z',
      '2026-03-29T01:20Z',
      '2026-03-29T01:40Z',
    ])
    expect(slots(cron('*/5 2 * * *', 'Europe/Berlin'), '2026-03-28T12:00:00Z', 2)).toEqual([
      '2026-03-29T01:00Z',
      '2026-03-30T00:00Z',
    ])
  })

  test('midnight that is left out, as in Santiago, is made up for', () => {
    expect(slots(cron('@daily', 'America/Santiago'), '2026-09-05T12:00:00Z', 2)).toEqual([
      '2026-09-06T04:00Z',
      '2026-09-07T03:00Z',
    ])
  })

  test('what runs each hour goes on by real time', () => {
    expect(slots(cron('7 * * * *', 'Europe/Berlin'), '2026-03-29T00:00:00Z', 3)).toEqual([
      '2026-03-29T00:07Z',
      '2026-03-29T01:07Z',
      '2026-03-29T02:07Z',
    ])
  })

  test('a whole day that a zone left out is made up for once', () => {
    expect(slots(cron('0 9 * * *', 'Pacific/Apia'), '2011-12-29T12:00:00Z', 3)).toEqual([
      '2011-12-29T19:00Z',
      '2011-12-30T10:00Z',
      '2011-12-30T19:00Z',
    ])
  })
})

describe('D8 patterns', () => {
  const january = '2026-01-01T00:00:00Z'

  test('the 31st and the 29th of February wait for a month that has them', () => {
    expect(slots(cron('0 0 31 * *'), january, 3)).toEqual([
      '2026-01-31T00:00Z',
      '2026-03-31T00:00Z',
      '2026-05-31T00:00Z',
    ])
    expect(slots(cron('0 0 29 2 *', 'Europe/Berlin'), january, 2)).toEqual([
      '2028-02-28T23:00Z',
      '2032-02-28T23:00Z',
    ])
  })

  test('a day of the month and a day of the week are either of them, as POSIX says; with + both', () => {
    expect(slots(cron('0 0 13 * FRI'), january, 3)).toEqual([
      '2026-01-02T00:00Z',
      '2026-01-09T00:00Z',
      '2026-01-13T00:00Z',
    ])
    expect(slots(cron('0 0 13 * +FRI'), january, 2)).toEqual(['2026-02-13T00:00Z', '2026-03-13T00:00Z'])
  })

  test('steps begin anew each hour, six fields begin with seconds', () => {
    expect(slots(cron('*/7 * * * *'), '2026-01-01T00:50:00Z', 3)).toEqual([
      '2026-01-01T00:56Z',
      '2026-01-01T01:00Z',
      '2026-01-01T01:07Z',
    ])
    expect(nextSlots(cron('*/20 59 23 * * *'), new Date(january), { count: 2 }).map(Number)).toEqual([
      Date.parse('2026-01-01T23:59:00Z'),
      Date.parse('2026-01-01T23:59:20Z'),
    ])
  })

  test.each([
    ['0 0 L * *', '2026-01-31'],
    ['0 0 LW * *', '2026-01-30'],
    ['0 0 1W * *', '2026-02-02'],
    ['0 0 31W * *', '2026-01-30'],
    ['0 0 * * FRI#2', '2026-01-09'],
    ['0 0 * * 5L', '2026-01-30'],
    ['0 0 * MAR-APR 7', '2026-03-01'],
    ['0 0 ? * sun', '2026-01-04'],
    ['@monthly', '2026-02-01'],
    ['@weekly', '2026-01-04'],
    ['@YEARLY', '2027-01-01'],
  ])('%s is due on %s first', (pattern, day) => {
    checkCadence(cron(pattern))
    expect(slots(cron(pattern), january, 1)).toEqual([`${day}T00:00Z`])
  })

  test.each([
    ['60 * * * *', 'minute', 1],
    ['0 24 * * *', 'hour', 3],
    ['0  1,2,25 * * *', 'hour', 8],
    ['0 0 32 * *', 'day of month', 5],
    ['0 0 0 * *', 'day of month', 5],
    ['0 0 * 13 *', 'month', 7],
    ['0 0 * FOO *', 'month', 7],
    ['0 0 * * 8', 'day of week', 9],
    ['0 0 * * MON#6', 'day of week', 9],
    ['61 0 0 * * *', 'second', 1],
    ['*/0 * * * *', 'minute', 1],
    ['5/15 * * * *', 'minute', 1],
    ['30-10 * * * *', 'minute', 1],
    ['1,,2 * * * *', 'minute', 3],
    ['0 0 L-2 * *', 'day of month', 5],
    ['0 9 15,LW * *', 'day of month', 5],
    ['0 9  LW,LW * *', 'day of month', 6],
    ['0 0 * * MON,+FRI', 'day of week', 9],
    ['0 0 * * +MON,+FRI', 'day of week', 9],
  ])('%s is refused, by its field and position', (pattern, field, position) => {
    const error = refusal(cron(pattern))
    expect(error.code).toBe('schedule_invalid')
    expect(error.fields).toMatchObject({ pattern, field, position })
    expect(error.message).toContain(`at position ${position}`)
  })

  test.each(['', '* * * *', '* * * * * * *', '2026-01-01T00:00:00Z', '@every 5m', '0 '.repeat(300)])(
    '%j is refused for what it is made of',
    (pattern) => {
      expect(refusal(cron(pattern)).code).toBe('schedule_invalid')
    },
  )

  test('@reboot is refused, because a database has none', () => {
    expect(refusal(cron('@reboot')).message).toContain('@reboot is no time')
  })

  test('a day that no year has is refused', () => {
    for (const pattern of ['0 0 31 2 *', '0 0 30 2 *', '0 0 31 4,6,9,11 *'])
      expect(refusal(cron(pattern)).message).toContain('no year has')
  })
})

describe('D9 zones', () => {
  test('a zone that is not in the database is refused by its name', () => {
    for (const zone of ['Europe/Berlim', 'Mars/Olympus', '', '+02:00', 'Europe/Berlin; x'])
      expect(refusal(cron('0 0 * * *', zone)).message).toContain(JSON.stringify(zone))
  })

  test('an old name of a zone means the zone of today', () => {
    expect(slots(cron('0 7 * * *', 'Europe/Kiev'), '2026-07-01T00:00:00Z', 1)).toEqual(['2026-07-01T04:00Z'])
  })

  test('a zone without changes, and those that change for Ramadan, are read as they are', () => {
    expect(slots(cron('0 7 * * *', 'Asia/Kathmandu'), '2026-03-01T00:00:00Z', 1)).toEqual([
      '2026-03-01T01:15Z',
    ])
    expect(slots(cron('0 7 * * *', 'Africa/Casablanca'), '2026-02-14T12:00:00Z', 2)).toEqual([
      '2026-02-15T07:00Z',
      '2026-02-16T07:00Z',
    ])
  })

  test('an instant is shown with its offset', () => {
    expect(localTime(new Date('2026-10-25T00:30:00Z'), 'Europe/Berlin')).toBe('2026-10-25T02:30:00+02:00')
    expect(localTime(new Date('2026-10-25T01:30:00Z'), 'Europe/Berlin')).toBe('2026-10-25T02:30:00+01:00')
    expect(localTime(new Date('2026-01-01T00:00:00Z'), 'America/St_Johns')).toBe('2025-12-31T20:30:00-03:30')
  })
})

describe('intervals', () => {
  const every = (everyMs: number): Cadence => ({
    kind: 'interval',
    everyMs,
    from: new Date('2026-03-29T00:10:00Z'),
  })

  test('run by real time from their beginning, which is the first slot', () => {
    expect(slots(every(25 * 60_000), '2026-03-28T00:00:00Z', 2)).toEqual([
      '2026-03-29T00:10Z',
      '2026-03-29T00:35Z',
    ])
    expect(slots(every(25 * 60_000), '2026-03-29T00:35:00Z', 2)).toEqual([
      '2026-03-29T01:00Z',
      '2026-03-29T01:25Z',
    ])
  })

  test('shorter than a second, or no whole number of milliseconds, are refused', () => {
    for (const ms of [0, 999, 1_000.5, -60_000, Number.NaN, 1e12])
      expect(refusal(every(ms)).code).toBe('schedule_invalid')
  })
})

test('no slot is later than the limit, which may be one itself', () => {
  const until = new Date('2026-01-02T00:00:00Z')
  expect(nextSlots(cron('0 0 * * *'), new Date('2025-12-31T12:00:00Z'), { count: 10, until })).toHaveLength(2)
  expect(nextSlots(cron('0 0 * * *'), until, { count: 0 })).toEqual([])
})

// What follows compares with others: two libraries, and the rule itself counted minute by minute.

const minute_ms = 60_000
const hour_ms = 60 * minute_ms
const zones = Intl.supportedValuesOf('timeZone')

const walls = new Map<string, (instant: number) => number>()

/** The wall's time written as UTC, by another way than the code's; what was once looked up is kept. */
function wallOf(zone: string): (instant: number) => number {
  const known = walls.get(zone)
  if (known !== undefined) return known
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  })
  const shown = new Map<number, number>()
  const wall = (instant: number): number => {
    const before = shown.get(instant)
    if (before !== undefined) return before
    const [month, day, year, hour, minute] = format.format(instant).split(/\D+/).map(Number)
    const time = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute)
    shown.set(instant, time)
    return time
  }
  walls.set(zone, wall)
  return wall
}

interface Change {
  readonly zone: string
  readonly at: number
}

const changesOf = (zone: string, from: number, to: number): Change[] => {
  const wall = wallOf(zone)
  const offset = (instant: number): number => wall(instant) - instant
  const changes: Change[] = []
  for (let day = from; day < to; day += 24 * hour_ms) {
    if (offset(day) === offset(day + 24 * hour_ms)) continue
    let at = day
    while (offset(at) === offset(day)) at += 15 * minute_ms
    changes.push({ zone, at })
  }
  return changes
}

const changes = zones.flatMap((zone) => changesOf(zone, Date.UTC(2026, 0, 1), Date.UTC(2028, 0, 1)))

interface Sample {
  readonly pattern: string
  readonly hits: (wall: Date) => boolean
  readonly repeats: boolean
  readonly makesUp: boolean
}

/** The rule as the page says it, by looking at every minute. */
const byMinutes = ({ hits, repeats, makesUp }: Sample, zone: string, from: number, to: number): number[] => {
  const wall = wallOf(zone)
  const found = new Set<number>()
  let highest = wall(from - 26 * hour_ms)
  for (let at = from - 25 * hour_ms; at <= to; at += minute_ms) {
    const shown = wall(at)
    for (let missed = highest + minute_ms; makesUp && missed < shown; missed += minute_ms)
      if (missed > wall(at - minute_ms) + minute_ms - 1 && hits(new Date(missed)) && at > from) found.add(at)
    if (at > from && hits(new Date(shown)) && (repeats || shown > highest)) found.add(at)
    highest = Math.max(highest, shown)
  }
  return [...found]
}

const sample = (
  minutes: string,
  hours: string,
  minuteHits: (minute: number) => boolean,
  hourHits: (hour: number) => boolean,
): Sample => ({
  pattern: `${minutes} ${hours} * * *`,
  hits: (wall) => minuteHits(wall.getUTCMinutes()) && hourHits(wall.getUTCHours()),
  repeats: hours === '*' || minutes.includes('*'),
  makesUp: hours !== '*',
})

const samples: readonly Sample[] = [
  sample(
    '30',
    '2',
    (minute) => minute === 30,
    (hour) => hour === 2,
  ),
  sample(
    '0',
    '0',
    (minute) => minute === 0,
    (hour) => hour === 0,
  ),
  sample(
    '45',
    '1,23',
    (minute) => minute === 45,
    (hour) => hour === 1 || hour === 23,
  ),
  sample(
    '10,50',
    '0-3',
    (minute) => minute === 10 || minute === 50,
    (hour) => hour <= 3,
  ),
  sample(
    '5',
    '*/2',
    (minute) => minute === 5,
    (hour) => hour % 2 === 0,
  ),
  sample(
    '*/15',
    '*',
    (minute) => minute % 15 === 0,
    () => true,
  ),
  sample(
    '7',
    '*',
    (minute) => minute === 7,
    () => true,
  ),
  sample(
    '*/20',
    '0-2',
    (minute) => minute % 20 === 0,
    (hour) => hour <= 2,
  ),
]

const ours = (pattern: string, zone: string, from: number, to: number): number[] =>
  nextSlots(cron(pattern, zone), new Date(from), { count: 1_000, until: new Date(to) }).map(Number)

describe('over every zone of the zone database and two years of clock changes', () => {
  test('D6 D7 the rule holds minute by minute around each change', () => {
    expect(changes.length).toBeGreaterThan(300)
    // Zones that change alike are alike: each of their kinds is counted out.
    const kinds = new Map(
      changes.map((change) => {
        const wall = wallOf(change.zone)
        return [`${change.at} ${wall(change.at - minute_ms)} ${wall(change.at)}`, change]
      }),
    )
    for (const { zone, at } of kinds.values()) {
      const [from, to] = [at - 4 * hour_ms, at + 4 * hour_ms]
      for (const one of samples)
        expect(
          ours(one.pattern, zone, from, to),
          `${one.pattern} ${zone} ${new Date(at).toISOString()}`,
        ).toEqual(byMinutes(one, zone, from, to))
    }
  })

  test('D6 D7 D9 croner agrees about fixed times around each change of each zone', () => {
    for (const { zone, at } of changes) {
      for (const pattern of ['30 2 * * *', '0 0 * * *', '45 1,23 * * *', '10,50 0-3 * * *', '*/15 * * * *']) {
        // It loses a time whose gap ends at midnight, as in Nuuk.
        if (pattern.includes('23') && wallOf(zone)(at) % (24 * hour_ms) === 0) continue
        const other = new Cron(pattern, { timezone: zone, fixedTimeRule: 'no-wildcard' })
        const expected = other.nextRuns(6, new Date(at - 20 * hour_ms)).map(Number)
        const found = nextSlots(cron(pattern, zone), new Date(at - 20 * hour_ms), { count: 6 }).map(Number)
        expect(found, `${pattern} ${zone} ${new Date(at).toISOString()}`).toEqual(expected)
      }
    }
  })

  test('D6 D7 D9 cron-parser agrees about quarters around each change, and about all else far from one', () => {
    const other = (pattern: string, zone: string, from: number, count: number): number[] => {
      const expression = CronExpressionParser.parse(pattern, { tz: zone, currentDate: new Date(from) })
      return Array.from({ length: count }, () => expression.next().getTime())
    }
    // It loses half an hour on Lord Howe Island, and turns back for ever on Chatham: it counts in whole hours.
    const inWholeHours = ({ zone, at }: Change): boolean =>
      [at, at - minute_ms].every((instant) => (wallOf(zone)(instant) - instant) % hour_ms === 0)
    for (const { zone, at } of changes.filter(inWholeHours)) {
      const [from, to] = [at - 46 * minute_ms, at + 46 * minute_ms]
      const found = ours('*/15 * * * *', zone, from, to)
      expect(found, `${zone} ${new Date(at).toISOString()}`).toEqual(other('*/15 * * * *', zone, from, 7))
    }
    const patterns = [
      ['30 9 * * 1-5', 0],
      ['0 12 L * *', 5],
      ['15 14 1-10/3 */2 *', 7],
      ['0 18 * * 5#2', 11],
    ] as const
    for (const [index, zone] of zones.entries()) {
      const [pattern, month] = patterns[index % patterns.length]!
      const from = Date.UTC(2026, month, 3)
      const found = nextSlots(cron(pattern, zone), new Date(from), { count: 2 }).map(Number)
      expect(found, `${pattern} ${zone}`).toEqual(other(pattern, zone, from, 2))
    }
  })

  test('D6 D7 any pattern, asked at any instant around any change, keeps to the rule', {
    timeout: 900_000,
  }, () => {
    const numbers = (max: number) =>
      fc.oneof(
        fc.uniqueArray(fc.nat(max), { minLength: 1, maxLength: 3 }).map((list) => ({
          text: list.join(','),
          hits: (value: number) => list.includes(value),
        })),
        fc.integer({ min: 1, max: 12 }).map((step) => ({
          text: step === 1 ? '*' : `*/${step}`,
          hits: (value: number) => value % step === 0,
        })),
      )
    const sampled = fc
      .tuple(numbers(59), fc.oneof(numbers(23), numbers(3)))
      .map(([minutes, hours]) => sample(minutes.text, hours.text, minutes.hits, hours.hits))
    const asked = fc.tuple(sampled, fc.constantFrom(...changes), fc.integer({ min: -150, max: 150 }))
    fc.assert(
      fc.property(asked, ([one, { zone, at }, minutes]) => {
        const from = at + minutes * minute_ms
        const to = from + 4 * hour_ms
        expect(ours(one.pattern, zone, from, to)).toEqual(byMinutes(one, zone, from, to))
      }),
      { numRuns: isLong ? 5_000 : 150 },
    )
  })

  test('asking slot by slot gives what asking for all at once gives', () => {
    for (const { zone, at } of changes.filter((_, index) => index % 10 === 0)) {
      for (const { pattern } of samples) {
        const all = ours(pattern, zone, at - 3 * hour_ms, at + 4 * hour_ms)
        const single: number[] = []
        for (let from = at - 3 * hour_ms; ; ) {
          const [next] = ours(pattern, zone, from, at + 4 * hour_ms)
          if (next === undefined) break
          single.push(next)
          from = next
        }
        expect(single, `${pattern} ${zone}`).toEqual(all)
      }
    }
  })
})
