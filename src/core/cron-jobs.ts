// Owns what can be told of pg_cron's cron jobs: what they call without a secret of theirs, how their runs really ended, and the cadence in our own words.
import { outlineOf } from './command-outline.ts'
import { MillraceError } from './errors.ts'

/** What `read_cron_jobs` answers. */
export interface CronBook {
  readonly database: string
  /** In which pg_cron reads its patterns. */
  readonly timezone: string
  readonly at: string
  readonly entries: readonly CronJob[]
  /** In order; missing where the role may not read them. */
  readonly runs?: readonly CronRun[]
  /** In the order of the requests; missing where there is no pg_net, or the role may not read it. */
  readonly answers?: readonly CronAnswer[]
  /** How long pg_net keeps an answer. */
  readonly kept_ms: number
}

export interface CronJob {
  readonly jobid: number
  readonly jobname: string | null
  readonly schedule: string
  readonly command: string
  readonly database: string
  readonly username: string
  readonly active: boolean
  /** Its command, or a function that it calls, sends a request by pg_net. */
  readonly sends: boolean
}

interface CronRun {
  readonly jobid: number
  readonly status: string
  readonly message: string | null
  readonly started_at: string
  readonly ended_at: string | null
}

export interface CronAnswer {
  readonly id: number
  readonly status: number | null
  readonly timed_out: boolean
  readonly error: string | null
  readonly at: string
}

/**
 * How a run really ended. `dispatched` is all that pg_cron's own word is worth where a request was sent; of that, `succeeded` takes an answer of 2xx.
 * Of a statement that sends nothing, its end is the end.
 */
export type CronOutcome = 'running' | 'succeeded' | 'failed' | 'unknown'

export interface JudgedRun {
  readonly started_at: string
  readonly outcome: CronOutcome
  readonly why: string
}

/** Within this time a request of a run is answered or timed out: what comes later is somebody else's. */
const answered_within_ms = 60_000

/** The runs of one cron entry, each with its real outcome. */
export function judgeCronRuns(entry: CronJob, book: CronBook): JudgedRun[] {
  return (book.runs ?? [])
    .filter(({ jobid }) => jobid === entry.jobid)
    .map((run) => ({ started_at: run.started_at, ...judgeRun(run, entry, book) }))
}

type Judgement = Pick<JudgedRun, 'outcome' | 'why'>

function judgeRun(run: CronRun, entry: CronJob, book: CronBook): Judgement {
  const { status } = run
  const message = run.message?.trim() ?? ''
  if (status === 'failed') return { outcome: 'failed', why: message === '' ? 'pg_cron says so' : message }
  if (status !== 'succeeded') return { outcome: 'running', why: `pg_cron says ${status}` }
  if (!entry.sends) return { outcome: 'succeeded', why: message === '' ? 'the statement ended' : message }
  if (entry.database !== book.database) return unknown(`its answers are in database '${entry.database}'`)
  if (book.answers === undefined) return unknown('nobody may see here what was answered')
  return judgeAnswers(run, book, book.answers)
}

const unknown = (why: string): Judgement => ({ outcome: 'unknown', why })

/**
 * pg_cron doesn't say which request a run sent, so answers are told apart by time: those that came within a minute of the run. Where requests of
 * other runs were on their way as well, only what holds for all of them is said of one.
 */
function judgeAnswers(run: CronRun, book: CronBook, answers: readonly CronAnswer[]): Judgement {
  const began = Date.parse(run.started_at)
  const came = answers.filter(({ at }) => isWithin(Date.parse(at) - began))
  const age = Date.parse(book.at) - began
  if (came.length === 0 && age < answered_within_ms)
    return { outcome: 'running', why: 'it is not answered yet' }
  if (came.length === 0)
    return unknown(age > book.kept_ms ? 'its answer has expired' : 'no answer to it is kept')
  const faults = came.flatMap((answer) => answerFault(answer) ?? [])
  const others = othersAtThatTime(run, book)
  if (faults.length === came.length) return { outcome: 'failed', why: faults[0] ?? '' }
  if (faults.length > 0 && others === 0) return { outcome: 'failed', why: faults[0] ?? '' }
  if (faults.length > 0)
    return unknown(`of ${came.length} answers to ${others + 1} runs at that time ${faults.length} failed`)
  if (came.length <= others) return unknown(`${came.length} answers came to ${others + 1} runs at that time`)
  return { outcome: 'succeeded', why: `answered ${came[0]?.status}` }
}

const isWithin = (ms: number): boolean => ms >= 0 && ms <= answered_within_ms

/** How many other runs may have sent requests that were answered in the same minute. */
function othersAtThatTime(run: CronRun, { entries, runs = [] }: CronBook): number {
  const senders = new Set(entries.filter(({ sends }) => sends).map(({ jobid }) => jobid))
  return runs.filter(
    (other) =>
      other !== run &&
      senders.has(other.jobid) &&
      Math.abs(Date.parse(other.started_at) - Date.parse(run.started_at)) <= answered_within_ms,
  ).length
}

function answerFault({ status, timed_out, error }: CronAnswer): string | undefined {
  if (timed_out) return 'the request timed out'
  if (error !== null && error !== '') return `the request failed: ${error}`
  if (status === null) return 'the request was not answered'
  return status >= 200 && status < 300 ? undefined : `answered ${status}`
}

/** What a command calls, in a line: never its texts, which may be keys, nor its comments; of an address the host alone, since its path may be a key as well. */
export function callOf(command: string): string {
  const request = /net\.http_([a-z]+)\s*\(/i.exec(command)
  const address = /'(https?:\/\/[^'\s?#]+)/i.exec(command)?.[1]
  if (request !== null) return `${request[1]?.toUpperCase()} ${hostOf(address)}`
  return outlineOf(command).replaceAll(/\s+/g, ' ').trim().slice(0, 100)
}

function hostOf(address: string | undefined): string {
  return address === undefined || !URL.canParse(address)
    ? 'an address that it computes'
    : new URL(address).origin
}

export type CronCadence = { readonly cron: string; readonly timezone: string } | { readonly every_ms: number }

/**
 * A schedule of pg_cron as one of ours: `30 seconds` is an interval, `$` is the last day of a month. pg_cron is Vixie's cron, where a day field
 * that begins with a star, such as a step, narrows the other one instead of adding to it: our + says that. Throws `schedule_invalid`.
 */
export function cadenceOfCronJob(schedule: string, timezone: string): CronCadence {
  const seconds = /^\s*(\d{1,2})\s+seconds?\s*$/i.exec(schedule)
  if (seconds !== null && Number(seconds[1]) >= 1 && Number(seconds[1]) <= 59)
    return { every_ms: Number(seconds[1]) * 1_000 }
  const zone = /^(?:gmt|utc|etc\/(?:gmt|utc))$/i.test(timezone) ? 'UTC' : timezone
  if (schedule.trim().startsWith('@')) return { cron: schedule.trim(), timezone: zone }
  const fields = schedule.trim().split(/\s+/)
  if (fields.length !== 5)
    throw new MillraceError(
      'schedule_invalid',
      `pg_cron's ${JSON.stringify(schedule)} has ${fields.length} fields, where five are known.`,
    )
  const [minute, hour, day = '', month, weekday = ''] = fields
  const narrows = day !== '*' && weekday !== '*' && (day.startsWith('*') || weekday.startsWith('*'))
  const days = day.replaceAll('$', 'L')
  return { cron: [minute, hour, days, month, narrows ? `+${weekday}` : weekday].join(' '), timezone: zone }
}
