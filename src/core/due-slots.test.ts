// What an evaluation of a schedule comes to: decided by its settings, its watermark and the time alone.
import { expect, test } from 'vitest'
import { type EvaluatedSchedule, evaluateSchedule } from './due-slots.ts'

const noon = new Date('2026-03-02T12:00:00.000Z')
const minute_ms = 60_000
const hour_ms = 3_600_000

const minutes = (n: number): Date => new Date(noon.getTime() + n * minute_ms)

const hourly = (options: Partial<EvaluatedSchedule> = {}): EvaluatedSchedule => ({
  id: 1,
  revision: 3,
  cron: '0 * * * *',
  timezone: 'UTC',
  offset_ms: 0,
  catch_up: 'last',
  catch_up_max: 100,
  catch_up_window_ms: 24 * hour_ms,
  stagger_ms: 0,
  passed_from: null,
  passed_until: null,
  former: null,
  evaluated_at: noon,
  ...options,
})

const told = (schedule: EvaluatedSchedule, at: Date) =>
  evaluateSchedule(schedule, at).firings.map(({ slot, slots, kind, reason }) => ({
    at: (slot.getTime() - noon.getTime()) / hour_ms,
    slots,
    told: reason ?? kind,
  }))

test('a slot fires once it is reached, and the next one is told; before it nothing does', () => {
  expect(evaluateSchedule(hourly(), minutes(59))).toMatchObject({
    from: noon,
    to: minutes(59),
    next: minutes(60),
    firings: [],
  })
  expect(evaluateSchedule(hourly(), minutes(60))).toMatchObject({
    to: minutes(60),
    next: minutes(120),
    firings: [{ slot: minutes(60), kind: 'scheduled', reason: null, begins: null }],
  })
  expect(told(hourly(), minutes(61))).toEqual([{ at: 1, slots: 1, told: 'scheduled' }])
})

test('D2 a clock that goes back fires no slot twice: the watermark stays where it was', () => {
  expect(evaluateSchedule(hourly(), minutes(-10))).toMatchObject({
    from: noon,
    to: noon,
    next: minutes(60),
    firings: [],
  })
})

test.each([
  ['none', {}, [{ at: 1, slots: 5, told: 'not_caught_up' }]],
  [
    'last',
    {},
    [
      { at: 1, slots: 4, told: 'not_caught_up' },
      { at: 5, slots: 1, told: 'catch_up' },
    ],
  ],
  ['all', {}, [1, 2, 3, 4, 5].map((at) => ({ at, slots: 1, told: 'catch_up' }))],
  [
    'all',
    { catch_up_max: 2 },
    [
      { at: 1, slots: 3, told: 'too_many' },
      { at: 4, slots: 1, told: 'catch_up' },
      { at: 5, slots: 1, told: 'catch_up' },
    ],
  ],
  [
    'all',
    { catch_up_window_ms: 2 * hour_ms },
    [
      { at: 1, slots: 3, told: 'too_late' },
      { at: 4, slots: 1, told: 'catch_up' },
      { at: 5, slots: 1, told: 'catch_up' },
    ],
  ],
  ['last', { catch_up_window_ms: hour_ms / 4 }, [{ at: 1, slots: 5, told: 'too_late' }]],
] as const)(
  'D10 after five hours without a scheduler, catching up %s with %o',
  (catch_up, options, firings) => {
    expect(told(hourly({ catch_up, ...options }), minutes(5 * 60 + 30))).toEqual(firings)
  },
)

test('with a slot on time there is nothing to catch up of the last', () => {
  expect(told(hourly(), minutes(5 * 60))).toEqual([
    { at: 1, slots: 4, told: 'not_caught_up' },
    { at: 5, slots: 1, told: 'scheduled' },
  ])
})

test('what is caught up begins one after another, as far apart as it was told', () => {
  const { firings } = evaluateSchedule(hourly({ catch_up: 'all', stagger_ms: 5_000 }), minutes(3 * 60 + 30))
  expect(firings.map(({ begins }) => begins && begins.getTime() - minutes(3 * 60 + 30).getTime())).toEqual([
    null,
    5_000,
    10_000,
  ])
})

test('the slots of a pause pass, in one row; those before and after it do not', () => {
  const paused = { passed_from: minutes(90), passed_until: minutes(4 * 60 + 30) }
  expect(told(hourly({ catch_up: 'all', ...paused }), minutes(5 * 60))).toEqual([
    { at: 1, slots: 1, told: 'catch_up' },
    { at: 2, slots: 3, told: 'paused' },
    { at: 5, slots: 1, told: 'scheduled' },
  ])
})

/** All that a schedule's evaluations come to until it is up to date, one after another. */
function evaluatedUntil(schedule: EvaluatedSchedule, at: Date) {
  const firings = []
  let from = schedule.evaluated_at
  for (let turns = 0; turns < 100; turns++) {
    const evaluation = evaluateSchedule({ ...schedule, evaluated_at: from }, at)
    firings.push(...evaluation.firings)
    if (evaluation.next === null || evaluation.next > at) break
    from = evaluation.to
  }
  return firings
}

test.each([
  ['last', 100, 1200, [30]],
  ['all', 2, 1200, [29, 30]],
  ['last', 100, 1203, [1203]],
  ['all', 4, 1203, [30, 1201, 1202, 1203]],
] as const)(
  'D10 slots of a pause take no place of those caught up, however many they are: %s, at most %i, until minute %i',
  (catch_up, catch_up_max, end, caught) => {
    const paused = { passed_from: minutes(30.5), passed_until: minutes(1200.5) }
    const schedule = hourly({ cron: '* * * * *', catch_up, catch_up_max, ...paused, ends_at: minutes(end) })
    const firings = evaluatedUntil(schedule, minutes(1205))
    expect(firings.filter(({ reason }) => reason === null).map(({ slot }) => slot)).toEqual(
      caught.map((n) => minutes(n)),
    )
    expect(firings.reduce((sum, { reason, slots }) => sum + (reason === 'paused' ? slots : 0), 0)).toBe(1170)
  },
)

test.each([1_000, 1_001, 1_030, 1_060, 1_061, 1_062, 2_030])(
  'D10 of %i slots each second the one that was asked for is caught up, and what is on time fires',
  (slots) => {
    const each = { cron: null, timezone: null, every_ms: 1_000, every_from: noon }
    const schedule = hourly({ ...each, catch_up: 'all', catch_up_max: 1 })
    const firings = evaluatedUntil(schedule, new Date(noon.getTime() + slots * 1_000))
    const kinds = firings.filter(({ reason }) => reason === null).map(({ kind }) => kind)
    expect(kinds).toEqual(['catch_up', ...Array.from({ length: 61 }, () => 'scheduled')])
  },
)

test('D10 a day of slots each second that nobody saw is counted in parts, and starts what was asked for alone', () => {
  let schedule = hourly({
    cron: null,
    timezone: null,
    every_ms: 1_000,
    every_from: noon,
    catch_up: 'all',
    catch_up_max: 10,
  })
  const at = new Date(noon.getTime() + 24 * hour_ms)
  let slots = 0
  let started = 0
  for (let turns = 0; turns < 1_000; turns++) {
    const { to, next, firings } = evaluateSchedule(schedule, at)
    expect(firings.length).toBeLessThan(200)
    slots += firings.reduce((sum, firing) => sum + firing.slots, 0)
    started += firings.filter(({ reason }) => reason === null).length
    schedule = { ...schedule, evaluated_at: to }
    if (next! > at) break
  }
  expect(slots).toBe(86_400)
  // What is no more than a minute late is on time.
  expect(started).toBe(61 + 10)
})

test('a share of the jitter puts off each slot by the same time', () => {
  const schedule = hourly({ offset_ms: 90_000 })
  expect(told(schedule, minutes(61))).toEqual([])
  expect(told(schedule, new Date(minutes(61).getTime() + 30_000))).toEqual([
    { at: 1, slots: 1, told: 'scheduled' },
  ])
})

test('no slot lies before the start or after the end', () => {
  const schedule = hourly({ starts_at: minutes(2 * 60), ends_at: minutes(4 * 60), catch_up: 'all' })
  expect(told(schedule, minutes(6 * 60)).map(({ at }) => at)).toEqual([2, 3, 4])
  expect(evaluateSchedule(schedule, minutes(6 * 60)).next).toBeNull()
  expect(evaluateSchedule(schedule, minutes(1)).next).toEqual(minutes(2 * 60))
})

test('what was due by the times before a change is evaluated by them, and then the new ones hold', () => {
  const schedule = hourly({
    cron: '30 * * * *',
    catch_up: 'all',
    former: { cron: '0 * * * *', timezone: 'UTC', until: minutes(2 * 60 + 10).toISOString() },
  })
  const first = evaluateSchedule(schedule, minutes(4 * 60))
  expect(first).toMatchObject({ to: minutes(2 * 60 + 10), next: minutes(2 * 60 + 30) })
  expect(first.firings.map(({ slot }) => slot)).toEqual([minutes(60), minutes(120)])
  const second = evaluateSchedule({ ...schedule, former: null, evaluated_at: first.to }, minutes(4 * 60))
  expect(second.firings.map(({ slot }) => slot)).toEqual([minutes(150), minutes(210)])
})

test.each(['0 0 31 2 *', '61 * * * *'])(
  'what was due by the times before a change to %s is evaluated by them, and then the fault is told',
  (cron) => {
    const former = { cron: '0 * * * *', timezone: 'UTC', until: minutes(130).toISOString() }
    const first = evaluateSchedule(hourly({ cron, catch_up: 'all', former }), minutes(131))
    expect(first).toMatchObject({ to: minutes(130), next: minutes(130), fault: null })
    expect(first.firings.map(({ slot }) => slot)).toEqual([minutes(60), minutes(120)])
    const second = evaluateSchedule(hourly({ cron, evaluated_at: first.to }), minutes(131))
    expect(second).toMatchObject({ next: null, fault: { code: 'schedule_invalid' } })
  },
)

test('a pattern that no year has is told as the fault of its schedule; times that are over are none', () => {
  const never = evaluateSchedule(hourly({ cron: '0 0 31 2 *' }), minutes(1))
  expect(never).toMatchObject({ to: noon, next: null, fault: { code: 'schedule_invalid' } })
  expect(never.fault?.message).toContain('no year has')
  const over = evaluateSchedule(hourly({ ends_at: minutes(90) }), minutes(120))
  expect(over).toMatchObject({ next: null, fault: null })
})

test('a pattern that cannot be read is told as the fault of its schedule', () => {
  expect(evaluateSchedule(hourly({ cron: '61 * * * *' }), minutes(60))).toMatchObject({
    to: noon,
    next: null,
    fault: { code: 'schedule_invalid', message: expect.stringContaining('position 1') as string },
    firings: [],
  })
  expect(evaluateSchedule(hourly({ timezone: 'Mars/Olympus' }), minutes(60)).fault?.message).toContain(
    'Mars/Olympus',
  )
})
