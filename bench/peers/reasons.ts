// Why a peer is ahead of Millrace in a row, where that is known: what remains is what Millrace does besides, or what it refuses to do.
import type { KeptRow } from './kept.ts'
import { costsOf, processorsAtWork } from './processor-time.ts'
import type { Costs, Result } from './result.ts'
import { timeText } from './table.ts'

export interface Compared {
  /** Of the row. */
  readonly name: string
  readonly row: KeptRow
  readonly ours: Result
  readonly other: Result
}

/** A clause, or nothing where none is known. */
export function reasonOf(compared: Compared): string | undefined {
  return reasons[compared.name]?.[compared.other.peer]?.(compared)
}

/** Numbers in it are those of the row, so that they are true of it when it is measured again. */
type Reason = (compared: Compared) => string

const reason =
  (text: string): Reason =>
  () =>
    text

const withoutTheDisk = reason(
  'its server answers before the disk has anything, where Millrace waits for a commit',
)
const sharedCommit: Reason = (compared) => {
  const starts = Math.round(1 / (costsBoth(compared)?.ours.commits ?? 1))
  const shared = starts > 1 ? `, which ${starts} starts share` : ''
  return `${withoutTheDisk(compared)}${shared}`
}

const startAlone: Reason = (compared) =>
  `a start writes a run, in a partition under twelve checks and four indexes, and its task, and looks for the version and for pauses${serverTime(compared)}`

const startAndClaim = reason(
  'a start of Millrace writes a run and a task, its claim changes both, and every call enters a worker and looks for pauses, rules and turns',
)
const smallJob: Reason = (compared) => `a job is one row and its claim one update; ${startAndClaim(compared)}`

const oneRow = reason(
  'a job is one row; a start of Millrace writes two, a run that is kept and a task, under five indexes',
)

const betweenTwoCommits = reason(
  'no more tasks than the rule has slots lie between a claim and an end, which are a commit each and count exactly for all processes, and each task ends by itself, with an attempt of its own and an entry that says what it waited for',
)
const judged = reason(
  'each task is counted in a row of its key, which an exact limit of all processes needs, besides what a claim and an end write anyway',
)

const recorded: Reason = (compared) =>
  `a job is claimed and deleted; Millrace records the attempt and ends the run besides, with output and times${logTimes(compared)}${atWork(compared)}`
const together: Reason = (compared) =>
  `a handler gets a thousand jobs and all of them end as one; each task of Millrace ends by itself, with an attempt, output and times of its own${atWork(compared)}`

const ownHalf: Reason = ({ ours, other }) => {
  const times = (rateOf(ours) ?? 0) / (rateOf(other) ?? Number.NaN)
  const share = times > 1 ? `${times.toFixed(1)} times as many a second` : 'another number'
  return `each is given half of what it passes on at most, which is ${share} for Millrace: starts share calls, and wait for the call before theirs`
}

const both =
  (first: Reason, second: Reason): Reason =>
  (compared) =>
    `${first(compared)}; and ${second(compared)}`

const byAllQueues = { 'Graphile Worker': recorded, 'pg-boss': together }

const reasons: Readonly<Record<string, Readonly<Record<string, Reason>>>> = {
  'enqueue-one': {
    'BullMQ on Redis': withoutTheDisk,
    OpenWorkflow: startAlone,
    absurd: startAlone,
    'BullMQ on Postgres': startAlone,
  },
  'clients-1': { 'BullMQ on Redis': sharedCommit },
  'clients-4': { 'BullMQ on Redis': sharedCommit },
  'clients-8': { 'BullMQ on Redis': sharedCommit },
  'start-idle': {
    'BullMQ on Redis': withoutTheDisk,
    'Graphile Worker': smallJob,
    'BullMQ on Postgres': startAndClaim,
  },
  'enqueue-bulk': { 'Graphile Worker': oneRow },
  drain: { 'BullMQ on Redis': withoutTheDisk, ...byAllQueues },
  'workers-2': byAllQueues,
  'workers-4': byAllQueues,
  'start-half-load': { 'Graphile Worker': ownHalf, 'pg-boss': ownHalf },
  'limit-one': {
    'BullMQ on Redis': both(withoutTheDisk, betweenTwoCommits),
    'pg-boss': betweenTwoCommits,
  },
  'limit-10000': { 'pg-boss': judged, 'Graphile Worker': judged },
  'growth-1m': { 'pg-boss': together },
  'growth-10m': { 'pg-boss': together },
  takeover: {
    Restate: reason(
      'it takes a broken connection for a dead process; Millrace asks for a second of silence besides, since a process whose connection was cut still works, and what it does to the outside would be done twice',
    ),
  },
}

function costsBoth({ row, ours, other }: Compared): { ours: Costs; other: Costs } | undefined {
  const [mine, theirs] = [costsOf(row, ours), costsOf(row, other)]
  return mine === undefined || theirs === undefined ? undefined : { ours: mine, other: theirs }
}

function serverTime(compared: Compared): string {
  const costs = costsBoth(compared)
  if (costs === undefined) return ''
  return `: ${timeText(costs.ours.serverCpuMs)} of the server’s time, where it takes ${timeText(costs.other.serverCpuMs)}`
}

/** Only where there is more of it: what is no reason is not named as one. */
function logTimes(compared: Compared): string {
  const { ours, other } = costsBoth(compared) ?? {}
  const times = (ours?.logBytes ?? 0) / (other?.logBytes ?? Number.NaN)
  return times > 1.05 ? `, which is ${times.toFixed(1)} times the log` : ''
}

function atWork(compared: Compared): string {
  const costs = costsBoth(compared)
  if (costs === undefined) return ''
  const processors = processorsAtWork(compared.row, compared.ours, costs.ours)
  if (processors === undefined) return ''
  const each = ({ clientCpuMs, serverCpuMs }: Costs) => timeText(clientCpuMs + serverCpuMs)
  return `; a task takes ${each(costs.ours)} of processor time where one of its takes ${each(costs.other)}, and ${processors.toFixed(1)} processors are at work for Millrace`
}

/** What the note of a paced row begins with: `4,707/s`. */
function rateOf({ note = '' }: Result): number | undefined {
  const rate = /^([\d,]+)\/s/.exec(note)?.[1]
  return rate === undefined ? undefined : Number(rate.replaceAll(',', ''))
}
