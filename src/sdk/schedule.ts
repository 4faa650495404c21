// Owns schedules as authors write them: schedule(), what it may be told, and the settings that it becomes.
import { checkCadence, type Cadence } from '../core/cron.ts'
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import { type Expectation, readExpectation } from '../core/expectation.ts'
import { checkJson } from '../core/json.ts'
import type { Overlap as StoredOverlap, ScheduleDefinition, ScheduleSettings } from '../db/schedules.ts'
import { validate } from './standard-schema.ts'
import type { PipelineInput, Startable } from './startable.ts'
import { type Trigger, triggerOf } from './trigger.ts'

/**
 * What becomes of a firing while a run of the schedule is live; one that waits for an approval is. It is skipped; or one waits for its end, or all of them do;
 * or the other is cancelled first; or they run side by side.
 */
export type Overlap = 'skip' | 'queue one' | 'queue all' | 'cancel other' | 'allow'

/** What becomes of slots that were noticed more than a minute late, because nobody was there. */
export type CatchUp =
  | 'none'
  | 'last'
  | 'all'
  | {
      readonly slots: 'last' | 'all'
      /** At most so many, the latest; 100 unless told, 1,000 at most. */
      readonly max?: number
      /** Only slots that are no longer ago; a day unless told. */
      readonly window?: Duration
      /** So long after each other. */
      readonly stagger?: Duration
    }

/** By the clock on a wall in a time zone, or each so long. */
export type CadenceOptions =
  | {
      /** Five fields, or six with seconds before them, or a name such as @daily. */
      readonly cron: string
      /** A name of the zone database; UTC unless told. */
      readonly timezone?: string
      readonly every?: never
      readonly from?: never
    }
  | {
      /** Each so long of real time, from a second to 366 days. */
      readonly every: Duration
      /** Counted from there; from when the schedule was defined unless told. */
      readonly from?: Date
      readonly cron?: never
      readonly timezone?: never
    }

/** The input of each run, which has to be given where the pipeline asks for one. */
type InputOption<P> =
  undefined extends PipelineInput<P>
    ? { readonly input?: PipelineInput<P> }
    : { readonly input: PipelineInput<P> }

export interface ScheduleConditions {
  readonly tenant?: string
  /** From 1, first, to 9, last; 5 unless told. */
  readonly priority?: number
  /** No slot before the start, and none after the end. */
  readonly starts?: Date
  readonly ends?: Date
  /** Each schedule fires later than its slots by a share of this that its name decides: so that those of one minute don't come at once. */
  readonly jitter?: Duration
  /** 'skip' unless told. */
  readonly overlap?: Overlap
  /** 'last' unless told. */
  readonly catchUp?: CatchUp
  /** How long after its slot a firing may be without an end before it is overdue. */
  readonly deadline?: Duration
  /** What must be so once its run has completed: only then the firing is verified. */
  readonly expect?: Expectation
  /** After so many firings in a row that failed or stayed unverified the schedule is paused. */
  readonly pauseAfter?: number
  /** An address outside that is told of each firing: itself, or the secret that holds it. */
  readonly ping?: { readonly url: string } | { readonly secret: string }
}

export type ScheduleOptions<P extends Startable = Startable> = {
  /** What is started: a pipeline, or the name of one. */
  readonly pipeline: P
} & CadenceOptions &
  InputOption<P> &
  ScheduleConditions

/** A schedule as code declares it, for `triggers` of the configuration. */
export interface Schedule extends Trigger<'schedule'> {
  readonly pipeline: Startable
  readonly input: unknown
  readonly settings: ScheduleSettings
}

/**
 * Starts runs of a pipeline by itself, at the times of a cron pattern or at an interval. What the pattern says of clock changes is the same for every
 * zone: see docs/schedules.md.
 *
 * @throws MillraceError schedule_invalid, with the position in the pattern; duration_invalid
 */
export function schedule<const P extends Startable>(name: string, options: ScheduleOptions<P>): Schedule {
  const settings = settingsOf(name, options)
  return triggerOf('schedule', name, {
    pipeline: options.pipeline,
    input: (options as { readonly input?: unknown }).input,
    settings,
  })
}

/** What the database takes, with the input that the pipeline makes of it. @throws MillraceError input_invalid, json_invalid, json_too_large */
export async function scheduleDefinition({
  name,
  pipeline,
  input,
  settings,
}: Pick<Schedule, 'name' | 'pipeline' | 'input' | 'settings'>): Promise<ScheduleDefinition> {
  const what = `The input of schedule '${name}'`
  if (typeof pipeline === 'string')
    return { name, slug: pipeline, settings: withInput(settings, input, what) }
  const checked =
    pipeline.inputSchema === undefined
      ? input
      : await validate(pipeline.inputSchema, input, { code: 'input_invalid', what })
  return { name, slug: pipeline.slug, settings: withInput(settings, checked, what) }
}

function withInput(settings: ScheduleSettings, input: unknown, what: string): ScheduleSettings {
  return input === undefined
    ? settings
    : { ...settings, input: JSON.parse(checkJson(input, { what })) as unknown }
}

export const storedOverlaps: Readonly<Record<Overlap, StoredOverlap>> = {
  skip: 'skip',
  'queue one': 'queue_one',
  'queue all': 'queue_all',
  'cancel other': 'cancel_other',
  allow: 'allow',
}

/** @throws MillraceError schedule_invalid */
export function storedOverlap(name: string, overlap: Overlap): StoredOverlap {
  const stored = Object.hasOwn(storedOverlaps, overlap) ? storedOverlaps[overlap] : undefined
  if (stored !== undefined) return stored
  throw refused(name, `overlap is one of ${Object.keys(storedOverlaps).join(', ')}, not '${String(overlap)}'`)
}

const known_options: ReadonlySet<string> = new Set([
  ...[
    'pipeline',
    'cron',
    'timezone',
    'every',
    'from',
    'input',
    'tenant',
    'priority',
    'starts',
    'ends',
    'jitter',
    'overlap',
  ],
  ...['catchUp', 'deadline', 'expect', 'pauseAfter', 'ping'],
])

/** The settings without the input. @throws MillraceError schedule_invalid, duration_invalid */
function settingsOf(name: string, options: CadenceOptions & ScheduleConditions): ScheduleSettings {
  const unknown = Object.keys(options).find((key) => !known_options.has(key))
  if (unknown !== undefined) throw refused(name, `it takes no '${unknown}'`)
  const { tenant, priority, starts, ends, jitter, overlap, deadline, pauseAfter } = options
  const ms = (duration: Duration, what: string) => durationMs(duration, `The ${what} of schedule '${name}'`)
  return given({
    ...cadenceSettings(name, options),
    tenant,
    priority,
    starts_at: starts === undefined ? undefined : isoOf(name, 'starts', starts),
    ends_at: ends === undefined ? undefined : isoOf(name, 'ends', ends),
    jitter_ms: jitter === undefined ? undefined : ms(jitter, 'jitter'),
    overlap: overlap === undefined ? undefined : storedOverlap(name, overlap),
    ...catchUpSettings(name, options.catchUp),
    deadline_ms: deadline === undefined ? undefined : ms(deadline, 'deadline'),
    pause_after: pauseAfter,
    ...namingSchedule(name, () => expectSettings(options.expect)),
    ...pingSettings(name, options.ping),
  })
}

function cadenceSettings(name: string, options: CadenceOptions): ScheduleSettings {
  if ((options.cron === undefined) === (options.every === undefined))
    throw refused(name, "it takes either cron, as in '0 7 * * 1-5', or every, as in '15m'")
  const cadence = cadenceOf(name, options)
  namingSchedule(name, () => checkCadence(cadence))
  if (cadence.kind === 'cron') return { cron: cadence.pattern, timezone: cadence.timezone }
  return given({
    every_ms: cadence.everyMs,
    every_from: options.from === undefined ? undefined : cadence.from.toISOString(),
  })
}

function cadenceOf(name: string, options: CadenceOptions): Cadence {
  if (options.cron !== undefined)
    return { kind: 'cron', pattern: options.cron, timezone: options.timezone ?? 'UTC' }
  const from = options.from ?? new Date(0)
  if (Number.isNaN(from.getTime())) throw refused(name, 'from is no date')
  return { kind: 'interval', everyMs: durationMs(options.every, `The interval of schedule '${name}'`), from }
}

function catchUpSettings(name: string, catchUp: CatchUp | undefined): ScheduleSettings {
  if (catchUp === undefined) return {}
  if (typeof catchUp === 'string') return { catch_up: catchUp }
  const { slots, max, window, stagger } = catchUp
  if (slots !== 'last' && slots !== 'all')
    throw refused(name, "max, window and stagger of catchUp go with the slots 'last' or 'all'")
  return given({
    catch_up: slots,
    catch_up_max: max,
    catch_up_window_ms:
      window === undefined ? undefined : durationMs(window, `The catch-up window of schedule '${name}'`),
    stagger_ms:
      stagger === undefined ? undefined : durationMs(stagger, `The catch-up stagger of schedule '${name}'`),
  })
}

function expectSettings(expect: Expectation | undefined): ScheduleSettings {
  if (expect === undefined) return {}
  const { expect: stored, withinMs } = readExpectation(expect)
  return given({ expect: stored, verify_within_ms: withinMs })
}

function pingSettings(name: string, ping: ScheduleConditions['ping']): ScheduleSettings {
  if (ping === undefined) return {}
  if ('secret' in ping && 'url' in ping) throw refused(name, 'ping takes either an url or a secret')
  if ('secret' in ping) return { ping_secret: ping.secret }
  if (URL.canParse(ping.url)) return { ping_url: ping.url }
  throw refused(name, 'the address of ping is no URL')
}

function isoOf(name: string, option: string, date: Date): string {
  if (date instanceof Date && !Number.isNaN(date.getTime())) return date.toISOString()
  throw refused(name, `${option} is no date`)
}

/** Without what was left out. */
function given<T extends object>(settings: T): { [Key in keyof T]: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]: Exclude<T[Key], undefined>
  }
}

/** What is refused without knowing of which schedule: among many of a configuration it would be searched for. */
function namingSchedule<T>(name: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    const { code, message, fields, hint } = error
    throw new MillraceError(code, `Schedule '${String(name).slice(0, 200)}' is refused. ${message}`, {
      fields: { ...fields, schedule: name },
      hint,
      cause: error,
    })
  }
}

function refused(name: string, why: string): MillraceError {
  return new MillraceError(
    'schedule_invalid',
    `Schedule '${String(name).slice(0, 200)}' is refused: ${why}.`,
    {
      fields: { schedule: name },
    },
  )
}
