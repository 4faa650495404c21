// millrace schedule define: a schedule, or another one under its name.
import { Command, Option } from 'commander'
import { MillraceError } from '../../core/errors.ts'
import { cadenceWords } from '../../core/schedule-words.ts'
import type { Overlap, ScheduleOptions } from '../../sdk/schedule.ts'
import { Schedules } from '../../sdk/schedules.ts'
import { jsonValue } from '../json-value.ts'
import { text, timeFrom, wholeNumber } from '../option-values.ts'
import { ifRevisionOption } from '../revision.ts'
import type { CurrentSession, Session } from '../session.ts'
import { overlapOption } from './overlap.ts'
import { scheduleInput } from './schedule-input.ts'

interface Choices {
  readonly cron?: string
  readonly timezone?: string
  readonly every?: string
  readonly input?: string
  readonly tenant?: string
  readonly priority?: number
  readonly starts?: Date
  readonly ends?: Date
  readonly jitter?: string
  readonly overlap?: Overlap
  readonly catchUp?: 'none' | 'last' | 'all'
  readonly catchUpMax?: number
  readonly catchUpWindow?: string
  readonly stagger?: string
  readonly deadline?: string
  readonly expect?: string
  readonly pauseAfter?: number
  readonly pingUrl?: string
  readonly pingSecret?: string
  readonly ifRevision?: number
}

export function defineCommand(current: CurrentSession): Command {
  return new Command('define')
    .description("define a schedule, or another one under its name; from then on it is an operator's")
    .argument('<name>', 'the name of the schedule')
    .argument('<pipeline>', 'the name of the pipeline that it starts')
    .option('--cron <pattern>', "five fields, or six with seconds: '0 7 * * 1-5'", text('--cron'))
    .option('--timezone <zone>', 'of the pattern, as in Europe/Berlin; UTC unless told', text('--timezone'))
    .option('--every <time>', 'in place of a pattern: each so long', text('--every'))
    .option('--input <json>', 'the input of each run', text('--input'))
    .option('--tenant <tenant>', 'whose runs they are', text('--tenant'))
    .option('--priority <n>', 'from 1, first, to 9, last', wholeNumber('--priority', 1, 9))
    .option('--starts <time>', 'no slot before then', timeFrom)
    .option('--ends <time>', 'no slot after then', timeFrom)
    .option('--jitter <time>', 'fires later by a share of this that its name decides', text('--jitter'))
    .addOption(overlapOption('while a run of it is live'))
    .addOption(
      new Option('--catch-up <slots>', 'of slots that nobody was there for').choices(['none', 'last', 'all']),
    )
    .option('--catch-up-max <n>', 'at most so many', wholeNumber('--catch-up-max', 1, 1_000))
    .option('--catch-up-window <time>', 'no longer ago than this', text('--catch-up-window'))
    .option('--stagger <time>', 'so long after each other', text('--stagger'))
    .option(
      '--deadline <time>',
      'a firing without an end so long after its slot is overdue',
      text('--deadline'),
    )
    .option('--expect <json>', 'what must be so once the run has completed', text('--expect'))
    .option(
      '--pause-after <n>',
      'is paused after so many failures in a row',
      wholeNumber('--pause-after', 1, 1_000_000),
    )
    .option('--ping-url <url>', 'an address that is told of each firing', text('--ping-url'))
    .option('--ping-secret <name>', 'the secret that holds such an address', text('--ping-secret'))
    .addOption(ifRevisionOption())
    .action(async (name: string, pipeline: string, choices: Choices) => {
      const session = current()
      const { ifRevision } = choices
      const options = await optionsOf(session, pipeline, choices)
      const { revision, schedule } = await session.withDatabase(async ({ caller }) => {
        const schedules = new Schedules(() => Promise.resolve(caller))
        const { revision } = await schedules.define(
          name,
          { pipeline, ...options } as ScheduleOptions,
          ifRevision === undefined ? {} : { ifRevision },
        )
        // It is defined: whoever may not read schedules is told so much.
        return { revision, schedule: await schedules.get(name).catch(() => undefined) }
      })
      const when = schedule === undefined ? '' : `, ${cadenceWords(schedule)}`
      session.terminal.answer(schedule ?? { name, pipeline, revision })
      session.terminal.print(`Schedule ${name} is at revision ${revision}: it starts ${pipeline}${when}.`)
    })
}

/** What was typed; schedule() refuses what does not go together. @throws MillraceError command_invalid, input_invalid */
async function optionsOf(
  session: Session,
  pipeline: string,
  choices: Choices,
): Promise<Partial<ScheduleOptions>> {
  const { cron, timezone, every, input, expect, pingUrl, pingSecret } = choices
  if (input === '-' && expect === '-')
    throw new MillraceError('command_invalid', 'Only one of --input and --expect can come from stdin.', {
      hint: 'Give the other one on the command line.',
    })
  const { tenant, priority, starts, ends, jitter, overlap, deadline, pauseAfter } = choices
  return withoutUndefined({
    ...{ cron, timezone, every, tenant, priority, starts, ends, jitter, overlap, deadline, pauseAfter },
    input: await scheduleInput(session, pipeline, await jsonValue(session, '--input', input)),
    expect: await jsonValue(session, '--expect', expect),
    catchUp: catchUpOf(choices),
    ping:
      pingUrl !== undefined
        ? { url: pingUrl, ...(pingSecret === undefined ? {} : { secret: pingSecret }) }
        : pingSecret === undefined
          ? undefined
          : { secret: pingSecret },
  })
}

function catchUpOf({ catchUp, catchUpMax: max, catchUpWindow: window, stagger }: Choices): unknown {
  if (catchUp === undefined && max === undefined && window === undefined && stagger === undefined)
    return undefined
  if (catchUp === 'none' && max === undefined && window === undefined && stagger === undefined) return 'none'
  return withoutUndefined({
    slots: catchUp ?? 'last',
    max,
    window,
    stagger,
  })
}

function withoutUndefined(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
