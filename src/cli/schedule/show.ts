// millrace schedule show: what one schedule says, how it stands, and its last firings.
import { Command } from 'commander'
import { cadenceWords, slotWords } from '../../core/schedule-words.ts'
import { fill } from '../../core/text-fill.ts'
import { count, dateWords, durationWords, oneLine } from '../../core/wording.ts'
import { type ScheduleInfo, Schedules } from '../../sdk/schedules.ts'
import type { CurrentSession } from '../session.ts'
import { printFirings } from './firings.ts'

const firings_shown = 10

export function showCommand(current: CurrentSession): Command {
  return new Command('show')
    .description('show what a schedule says, how it stands, and its last firings')
    .argument('<name>', 'the name of the schedule')
    .action(async (name: string) => {
      const session = current()
      const { schedule, firings } = await session.withDatabase(async ({ caller }) => {
        const schedules = new Schedules(() => Promise.resolve(caller))
        return {
          schedule: await schedules.get(name),
          firings: await schedules.firings(name, { most: firings_shown }),
        }
      })
      session.terminal.answer({ ...schedule, firings })
      for (const line of lines(schedule)) session.terminal.print(line)
      if (firings.length === 0) return
      session.terminal.print()
      printFirings(session.terminal, firings, schedule.timezone)
    })
}

function lines(schedule: ScheduleInfo): string[] {
  const { name, pipeline, tenant, source, revision, changedBy, changedAt, input } = schedule
  const by = source === 'code' ? 'declared in code' : "an operator's"
  return [
    `${name}: starts ${pipeline}, ${cadenceWords(schedule)}${tenant === null ? '' : `, for tenant ${tenant}`}.`,
    ...(input === null || input === undefined ? [] : [`Its input is ${oneLine(JSON.stringify(input))}.`]),
    boundsWords(schedule),
    policyWords(schedule),
    ...endWords(schedule),
    `Revision ${revision}, ${by}, changed by ${changedBy} on ${dateWords(changedAt)} UTC.`,
    standingWords(schedule),
  ]
    .filter((line) => line !== '')
    .flatMap((line) => fill(line))
}

function boundsWords({ startsAt, endsAt, jitterMs, offsetMs }: ScheduleInfo): string {
  const parts = [
    startsAt === null ? '' : `not before ${dateWords(startsAt)} UTC`,
    endsAt === null ? '' : `not after ${dateWords(endsAt)} UTC`,
    jitterMs === 0
      ? ''
      : `${durationWords(offsetMs)} after each slot, its share of up to ${durationWords(jitterMs)}`,
  ].filter((part) => part !== '')
  return parts.length === 0 ? '' : `It fires ${parts.join(', ')}.`
}

function policyWords({ overlap, catchUp, pauseAfter }: ScheduleInfo): string {
  const caught =
    catchUp.slots === 'none'
      ? 'catches up none'
      : `catches up ${catchUp.slots === 'last' ? 'the last' : `up to ${catchUp.max}`} within ${durationWords(catchUp.windowMs)}`
  const apart = catchUp.staggerMs === 0 ? '' : `, ${durationWords(catchUp.staggerMs)} apart`
  const pause =
    pauseAfter === null ? '' : `; is paused after ${count(pauseAfter, 'failure', 'failures in a row')}`
  return `Overlap: ${overlap}; ${caught}${apart}${pause}.`
}

function endWords({ expect, deadlineMs, ping, pingError }: ScheduleInfo): string[] {
  return [
    expect === null || expect === undefined ? '' : `It is verified by ${oneLine(JSON.stringify(expect))}.`,
    deadlineMs === null
      ? ''
      : `A firing without an end ${durationWords(deadlineMs)} after its slot is overdue.`,
    ping === null ? '' : `It pings ${'url' in ping ? ping.url : `the address in secret ${ping.secret}`}.`,
    pingError === null ? '' : `Its last ping failed: ${oneLine(pingError)}`,
  ]
}

function standingWords({ paused, fault, nextSlot, timezone, failures }: ScheduleInfo): string {
  const failed = failures === 0 ? '' : ` ${count(failures, 'firing', 'firings')} failed in a row.`
  if (paused !== null) {
    const why = paused.reason === null ? '' : `: ${oneLine(paused.reason)}`
    return `Paused by ${paused.by} since ${dateWords(paused.at)} UTC${why}.${failed}`
  }
  if (fault !== null) return `It can't fire: ${fault.message}${failed}`
  if (nextSlot === null) return `No time of it is ahead.${failed}`
  return `Next: ${slotWords(nextSlot, timezone)}.${failed}`
}
