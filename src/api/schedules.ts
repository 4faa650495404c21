// The operations on schedules: their timetables, steering them, firing them by hand, and what became of each firing.
import { z } from 'zod'
import { firingStates } from '../core/state.ts'
import { operation } from './operation.ts'
import { pausable } from './pausing.ts'
import {
  changed,
  defined,
  definition,
  json,
  name,
  pageOf,
  pageQuery,
  paused,
  reason,
  slug,
  time,
  uuid,
  whole,
  text,
} from './values.ts'

const scheduleParams = z.object({ schedule: name })
const overlap = z.enum(['skip', 'queue_one', 'queue_all', 'cancel_other', 'allow'])
const yearMs = 31_622_400_000
const ms = (min: number, max: number) => z.int().min(min).max(max)

const fault = z.object({ code: z.string().optional(), message: z.string().optional() })

const firing = z
  .object({
    id: z.int(),
    slot_at: time.describe('The time by the schedule; of one that was triggered, when that was.'),
    until_slot_at: time.nullable(),
    slots: z.int().describe('How many slots that came to nothing it stands for.'),
    kind: z.enum(['scheduled', 'catch_up', 'backfill', 'triggered']),
    state: z.enum(firingStates),
    reason: z.string().nullable(),
    refusal: z.string().nullable(),
    run_id: uuid.nullable(),
    blocked_by: uuid.nullable(),
    late_ms: z.number(),
    fired_at: time,
    fired_by: z.string(),
    started_at: time.nullable(),
    ended_at: time.nullable(),
    closed_at: time.nullable(),
    deadline_at: time.nullable(),
    overdue_at: time.nullable(),
    verified_at: time.nullable(),
    verification: json.describe('What was found of what is expected; null for who may not see payloads.'),
    error: fault.nullable(),
  })
  .meta({ id: 'Firing' })

const schedule = z
  .object({
    id: z.int(),
    name: z.string(),
    pipeline: z.string(),
    tenant: z.string().nullable(),
    cron: z.string().nullable(),
    timezone: z.string().nullable(),
    every_ms: z.number().nullable(),
    every_from: time.nullable(),
    input: json,
    payloads_hidden: z.boolean(),
    priority: z.int(),
    starts_at: time.nullable(),
    ends_at: time.nullable(),
    jitter_ms: z.int(),
    offset_ms: z.int().describe('How long after its slots it fires, which its name and the jitter decide.'),
    overlap,
    catch_up: z.enum(['none', 'last', 'all']),
    catch_up_max: z.int(),
    catch_up_window_ms: z.number(),
    stagger_ms: z.int(),
    pause_after: z.int().nullable(),
    expect: json,
    deadline_ms: z.number().nullable(),
    verify_within_ms: z.number().nullable(),
    ping_secret: z.string().nullable(),
    ping_url: z.string().nullable(),
    ping_error: z.string().nullable(),
    ...definition,
    ...paused,
    pause_reason: z.string().nullable(),
    paused_by: z.string().nullable(),
    fault: fault.nullable(),
    next_slot_at: time
      .nullable()
      .describe('null while it is paused, faulty, not yet evaluated, or has no time ahead.'),
    failures: z.int(),
    last: firing.nullable(),
  })
  .meta({ id: 'Schedule' })

const nextSlot = z
  .object({ slot: time, fires_at: time, local: z.string().describe('As the clock in its zone shows it.') })
  .meta({ id: 'NextSlot' })

const listSchedules = operation({
  name: 'listSchedules',
  method: 'get',
  path: '/schedules',
  tag: 'schedules',
  summary: 'List schedules by name, each with its last firing.',
  access: { scope: 'triggers:read', role: 'viewer', subject: 'list' },
  query: z.strictObject({ ...pageQuery, pipeline: slug.optional(), tenant: name.optional() }),
  answer: pageOf(schedule),
})

const showSchedule = operation({
  name: 'showSchedule',
  method: 'get',
  path: '/schedules/{schedule}',
  tag: 'schedules',
  summary: 'Show a schedule.',
  access: { scope: 'triggers:read', role: 'viewer', subject: 'schedule' },
  params: scheduleParams,
  answer: schedule,
  errors: ['schedule_unknown'],
})

const nextSlots = operation({
  name: 'nextSlots',
  method: 'get',
  path: '/schedules/{schedule}/next',
  tag: 'schedules',
  summary: 'Tell the times of a schedule that are ahead.',
  access: { scope: 'triggers:read', role: 'viewer', subject: 'schedule' },
  params: scheduleParams,
  query: z.strictObject({ count: whole(1, 1_000).default(5) }),
  answer: z.object({ items: z.array(nextSlot) }),
  errors: ['schedule_unknown', 'schedule_invalid'],
})

const listFirings = operation({
  name: 'listFirings',
  method: 'get',
  path: '/schedules/{schedule}/firings',
  tag: 'schedules',
  summary: 'List the firings of a schedule, the latest first.',
  access: { scope: 'triggers:read', role: 'viewer', subject: 'schedule' },
  params: scheduleParams,
  query: z.strictObject({
    ...pageQuery,
    before: whole(1, Number.MAX_SAFE_INTEGER).optional().describe('Only those before this one, by id.'),
    state: z
      .string()
      .max(100)
      .transform((text) => text.split(','))
      .pipe(z.array(z.enum(firingStates)))
      .optional()
      .describe('One state or several, with commas between.'),
  }),
  answer: pageOf(firing),
  errors: ['schedule_unknown'],
})

const writes = { scope: 'triggers:write', role: 'operator', subject: 'schedule' } as const

const defineSchedule = operation({
  name: 'defineSchedule',
  method: 'put',
  path: '/schedules/{schedule}',
  tag: 'schedules',
  summary: "Define a schedule, or another one under its name; from then on it is an operator's.",
  access: { ...writes, subject: 'list' },
  params: scheduleParams,
  body: z.strictObject({
    pipeline: slug,
    tenant: name.optional(),
    cron: text(200).optional(),
    timezone: text(100).optional(),
    every_ms: ms(1_000, yearMs).optional(),
    every_from: time.optional(),
    input: json.optional(),
    priority: z.int().min(1).max(9).optional(),
    starts_at: time.optional(),
    ends_at: time.optional(),
    jitter_ms: ms(0, 86_400_000).optional(),
    overlap: overlap.optional(),
    catch_up: z.enum(['none', 'last', 'all']).optional(),
    catch_up_max: z.int().min(1).max(1_000).optional(),
    catch_up_window_ms: ms(60_000, yearMs).optional(),
    stagger_ms: ms(0, 86_400_000).optional(),
    pause_after: z.int().min(1).max(1_000_000).optional(),
    expect: z
      .record(text(50, 0), json)
      .optional()
      .describe(
        'What of the output must be so. A query comes from code alone; the one that stands may be sent along.',
      ),
    deadline_ms: ms(1_000, yearMs).optional(),
    verify_within_ms: ms(0, yearMs).optional(),
    ping_secret: text(200).optional(),
    ping_url: text(2_000).optional(),
  }),
  answer: defined,
  errors: [
    'schedule_invalid',
    'input_invalid',
    'pipeline_unknown',
    'revision_conflict',
    'json_invalid',
    'json_too_large',
  ],
  revised: true,
})

const onSchedule = { tag: 'schedules', params: scheduleParams, access: writes } as const

const removeSchedule = operation({
  ...onSchedule,
  name: 'removeSchedule',
  method: 'delete',
  path: '/schedules/{schedule}',
  summary: 'Remove a schedule: it fires no more; its firings stay.',
  answer: changed,
  errors: ['revision_conflict'],
  revised: true,
})

const [pauseSchedule, resumeSchedule] = pausable({
  noun: 'Schedule',
  path: '/schedules/{schedule}',
  of: onSchedule,
  unknown: 'schedule_unknown',
  pause: {
    summary: 'Let the slots of a schedule pass until it is resumed.',
    body: z.strictObject({ reason }),
    errors: ['argument_invalid'],
  },
  resume: { summary: 'Let a paused schedule fire again.' },
})

const triggerSchedule = operation({
  ...onSchedule,
  name: 'triggerSchedule',
  method: 'post',
  path: '/schedules/{schedule}/trigger',
  summary: 'Fire a schedule now, beside its slots, also while it is paused.',
  body: z.strictObject({ input: json.optional(), overlap: overlap.optional() }),
  answer: z
    .object({
      firing_id: z.int(),
      state: z.enum(firingStates),
      reason: z.string().nullable(),
      refusal: z.string().nullable(),
      run_id: uuid.nullable(),
      blocked_by: uuid.nullable(),
      error: fault.nullable(),
    })
    .meta({ id: 'TriggerAnswer' }),
  errors: ['schedule_unknown', 'argument_invalid', 'input_invalid', 'json_invalid', 'json_too_large'],
})

const backfillSchedule = operation({
  ...onSchedule,
  name: 'backfillSchedule',
  method: 'post',
  path: '/schedules/{schedule}/backfill',
  summary:
    'Fire slots of the past that came to nothing, 10,000 at most; those that had a run stay as they are.',
  body: z.strictObject({
    from: time,
    until: time.optional(),
    overlap: z.enum(['queue_all', 'allow']).default('queue_all'),
    stagger_ms: ms(0, 86_400_000).default(0),
    dry_run: z.boolean().default(false),
  }),
  answer: z.object({ queued: z.int(), fired_before: z.int() }),
  errors: ['schedule_unknown', 'schedule_invalid'],
})

export const scheduleOperations = {
  listSchedules,
  showSchedule,
  nextSlots,
  listFirings,
  defineSchedule,
  removeSchedule,
  pauseSchedule,
  resumeSchedule,
  triggerSchedule,
  backfillSchedule,
} as const
