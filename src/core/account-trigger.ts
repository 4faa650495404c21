// Owns how an account tells what started a run by itself: a schedule, a webhook, a change in a table, an event.
import type { AccountEvent, RunAccount } from './account-data.ts'
import { count, dateWords, durationWords, oneLine } from './wording.ts'

/** Of an event that says what started a run, or a start that went into it. */
export function isTriggering({ kind }: AccountEvent): boolean {
  return kind === 'run.triggered'
}

/** "by schedule 'digest', …" as the first sentence has it; undefined for a run that somebody started. */
export function triggerWords({ run, events }: RunAccount): string | undefined {
  if (!['schedule', 'webhook', 'change', 'event'].includes(run.started_via)) return undefined
  const [first] = triggeringEvents(events.listed)
  return first === undefined ? undefined : `${causeWords(first)},`
}

/** What else went into a run that had been started before: starts that a rule made one with it. */
export function laterTriggers({
  run,
  events,
}: RunAccount): ReadonlyArray<{ readonly at: string; readonly words: string }> {
  const all = triggeringEvents(events.listed)
  const later = run.started_via === all[0]?.detail['by'] ? all.slice(1) : all
  return later.map((event) => ({ at: event.at, words: `started as well ${causeWords(event)}` }))
}

function triggeringEvents(events: readonly AccountEvent[]): AccountEvent[] {
  return events.filter(isTriggering)
}

function causeWords({ detail }: AccountEvent): string {
  if (detail['by'] === 'schedule') return scheduleWords(detail)
  if (detail['by'] === 'webhook')
    return `by delivery ${said(detail['delivery'])} to webhook '${said(detail['webhook'])}'`
  if (detail['by'] === 'change') return changeWords(detail)
  if (detail['by'] === 'event')
    return `by event '${said(detail['event'])}' (${said(detail['id'])}), through subscription '${said(detail['subscription'])}'`
  return `by ${said(detail['by'])}`
}

const firingWords: Readonly<Record<string, string>> = {
  scheduled: 'for its slot of',
  catch_up: 'catching up its slot of',
  backfill: 'filling in its slot of',
  triggered: 'triggered by hand on',
}

function scheduleWords({ schedule, firing, slot, late_ms: lateMs, kind }: AccountEvent['detail']): string {
  const time =
    typeof slot === 'string' && !Number.isNaN(Date.parse(slot)) ? `${dateWords(slot)} UTC` : said(slot)
  const late =
    typeof lateMs === 'number' && lateMs >= 1_000 && kind !== 'backfill'
      ? `, ${durationWords(lateMs)} late`
      : ''
  return `by schedule '${said(schedule)}', ${firingWords[String(kind)] ?? 'for its slot of'} ${time}${late} (firing ${said(firing)})`
}

const operations: Readonly<Record<string, string>> = {
  insert: 'an insert',
  update: 'an update',
  delete: 'a delete',
  truncate: 'a truncate',
}

function changeWords({ watch, operation, key, changes, transaction }: AccountEvent['detail']): string {
  const what = operations[String(operation).toLowerCase()] ?? `a change (${said(operation)})`
  const of = key === undefined || key === null ? '' : ` of ${said(key)}`
  const made =
    typeof changes === 'number' && changes > 1
      ? `, the last of ${count(changes, 'change', 'changes')} made one`
      : ''
  const where =
    transaction === undefined || transaction === null ? '' : ` in transaction ${said(transaction)}`
  return `by ${what}${of} that watch '${said(watch)}' saw${where}${made}`
}

function said(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
  const line = oneLine(text)
  return line.length > 200 ? `${line.slice(0, 200)}…` : line
}
