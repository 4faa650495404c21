// The report of a run of chaos: its figures, and whether it broke a promise.
import { endFaults, type FaultKind, serverFaults, workerFaults } from './plan.ts'
import type { Figure } from './recovery.ts'
import type { Growth, Slope } from './soak.ts'
import type { Asked } from './tally.ts'
import type { Seen } from './verdict-load.ts'

export interface Report {
  readonly seed: number
  readonly seconds: number
  readonly calm: boolean
  readonly leaseSeconds: number
  readonly runs: number
  readonly attempts: number
  /** Attempts whose worker was lost, by a fault or because this machine was too busy for its heartbeats. */
  readonly reclaimed: number
  /** What the verdict on the load looked at. */
  readonly seen: Seen & { readonly signals: number; readonly cancelled: number }
  readonly deadlocks: number
  /** What the database takes with all of it. */
  readonly megabytes: number
  /** How often each kind was carried out. */
  readonly faults: Readonly<Record<string, number>>
  /** Those that could not be, as things stood. */
  readonly missed: ReadonlyArray<{ readonly kind: FaultKind; readonly reason: string }>
  /** Kinds that can't be had on this machine. */
  readonly missing: Readonly<Record<string, string>>
  readonly acknowledged: number
  /** By what the load asked for. */
  readonly asked: Readonly<Record<string, Asked>>
  /** Calls of the load that failed because of a fault, by what was said of them. */
  readonly refused: Readonly<Record<string, number>>
  readonly lost: number
  readonly endedTwice: number
  readonly duplicateEffects: number
  readonly capsExceeded: number
  readonly outside: { readonly called: number; readonly repeated: number }
  readonly recoveries: ReadonlyArray<{
    readonly alone: boolean
    readonly locked: Figure | undefined
    readonly pooled: Figure | undefined
  }>
  readonly backAfterRestart: Figure | undefined
  readonly backAfterListener: Figure | undefined
  /** For so long at most a worker in order began no task under load, without faults of the server. */
  readonly longestRestSeconds: number
  readonly growths: readonly Growth[]
  readonly backends: { readonly first: number; readonly last: number; readonly most: number }
  /** Accounts, locks and activity, where something did not go on. */
  readonly stuck: string | undefined
  /** How often that was asked: where it was calm for long enough. */
  readonly looks: number
  readonly calmSeconds: number
  /** Of the runs that are named there. */
  readonly evidence: string
  /** What of the promises was broken, in sentences. */
  readonly broken: readonly string[]
}

/** Sentences; none where every promise was kept. */
export function faultsOf({
  broken,
  evidence,
  stuck,
  looks,
  seconds,
  asked,
  calm,
  growths,
  backends,
  backAfterRestart,
  recoveries,
  faults,
  missed,
  acknowledged,
  ...rest
}: Report): string[] {
  return [
    ...broken,
    ...(evidence === '' ? [] : [evidence]),
    ...(stuck === undefined ? [] : [`Something is stuck:\n${stuck}`]),
    ...(acknowledged > 0 ? [] : ['Nothing that the load asked for was acknowledged.']),
    ...(calm ? [] : [...laneFaults(faults), ...missedFaults(faults, missed)]),
    ...(looks > 0 || seconds <= lookedAtSeconds
      ? []
      : ['It was never calm for long enough to ask whether anything is stuck.']),
    ...Object.entries(asked).flatMap(refusedFaults),
    ...lateFaults(backAfterRestart),
    ...recoveryFaults(recoveries),
    ...(calm
      ? [...calmFaults(rest), ...growths.flatMap(growthFaults), ...backendFaults(growths, backends)]
      : []),
  ]
}

const lanes: Readonly<Record<string, readonly FaultKind[]>> = {
  'the workers and their networks': workerFaults,
  'the server': serverFaults,
  'the ends of handlers': endFaults,
}

/** Of each lane something is planned, however short the run is. */
function laneFaults(faults: Report['faults']): string[] {
  return Object.entries(lanes).flatMap(([lane, kinds]) =>
    kinds.some((kind) => (faults[kind] ?? 0) > 0) ? [] : [`No fault of ${lane} was carried out.`],
  )
}

/** What could not be had once or twice met another fault. */
const missedTries = 3

function missedFaults(faults: Report['faults'], missed: Report['missed']): string[] {
  return [...new Set(missed.map(({ kind }) => kind))].flatMap((kind) => {
    const reasons = missed.filter((each) => each.kind === kind).map(({ reason }) => reason)
    return reasons.length < missedTries || (faults[kind] ?? 0) > 0
      ? []
      : [
          `'${kind}' was tried ${reasons.length} times and never carried out, at last because ${reasons.at(-1)}`,
        ]
  })
}
/** In a shorter one it may never be calm. */
const lookedAtSeconds = 300

/** Fewer may all have met faults. */
const judgedTries = 10

function refusedFaults([kind, { tried, acknowledged }]: [string, Asked]): string[] {
  return acknowledged > 0 || tried < judgedTries
    ? []
    : [`The load asked ${tried} times for ${kind}, and was refused each time.`]
}

/** What faults explain nothing explains where there were none. */
function calmFaults({
  refused,
  reclaimed,
  seen,
  deadlocks,
}: Pick<Report, 'refused' | 'reclaimed' | 'seen' | 'deadlocks'>): string[] {
  const counts: ReadonlyArray<[number, string]> = [
    [countOf(refused), `calls of the load were refused (${byCount(refused)})`],
    [reclaimed, 'attempts were taken back from their workers'],
    [seen.failedByFaults, 'attempts failed that the load did not make fail'],
    [deadlocks, 'deadlocks were broken by the server'],
  ]
  return counts.flatMap(([count, what]) => (count === 0 ? [] : [`Without any fault ${count} ${what}.`]))
}

/** A p99 of fewer is whatever was the slowest. */
const judgedTimes = 20
const backSecondsMost = 5

/** Only workers that are well are waited for there; a listener may be that of one that stands still for another fault, and is not judged. */
function lateFaults(took: Figure | undefined): string[] {
  if (took === undefined || took.count < judgedTimes || took.p99 <= 1_000 * backSecondsMost) return []
  return [
    `It took ${(took.p99 / 1_000).toFixed(2)} s (p99) until work went on after a restart of the server; ${backSecondsMost} s are the most.`,
  ]
}

/** By the liveness lock 2 s are wanted; this machine has the load, the faults and four workers besides. */
const recoverySecondsMost = 5

/** Of those that nothing else disturbed; behind PgBouncer the lease decides. */
function recoveryFaults(recoveries: Report['recoveries']): string[] {
  const took = recoveries.find(({ alone }) => alone)?.locked
  if (took === undefined || took.count < judgedTimes || took.p99 <= 1_000 * recoverySecondsMost) return []
  return [
    `It took ${(took.p99 / 1_000).toFixed(2)} s (p99) until what a dead worker held began elsewhere; ${recoverySecondsMost} s are the most.`,
  ]
}

/** Of an hour, less what it takes to become warm; a slope over much less is noise. */
const judgedMinutes = 30
const percentPerHourMax = 1
/** Pools open a connection more when many ask at once. */
const moreMost = 2

const isJudged = ({ minutes }: Pick<Growth, 'minutes'>): boolean => minutes >= judgedMinutes

function growthFaults({ minutes, memory, heap, descriptors }: Growth): string[] {
  if (!isJudged({ minutes })) return []
  const [first, last] = descriptors
  const slopes = [['memory', memory] as const, ['heap', heap] as const]
  return [
    ...slopes.flatMap(([what, slope]) =>
      slope === undefined || slope.percentPerHour <= percentPerHourMax
        ? []
        : [
            `The ${what} of a worker grew by ${slope.percentPerHour.toFixed(2)} % an hour; ${percentPerHourMax} is the most.`,
          ],
    ),
    ...(last <= first + moreMost ? [] : [`The descriptors of a worker grew from ${first} to ${last}.`]),
  ]
}

function backendFaults(growths: readonly Growth[], { first, last }: Report['backends']): string[] {
  return !growths.some(isJudged) || last <= first + moreMost * growths.length
    ? []
    : [`The backends of the server grew from ${first} to ${last}.`]
}

/** Those that were tried in vain beside it, with the last reason. */
function timesOf(kind: string, { faults, missed }: Report): string {
  const reasons = missed.filter((each) => each.kind === kind).map(({ reason }) => reason)
  const inVain = reasons.length === 0 ? '' : `, and ${reasons.length} in vain: ${reasons.at(-1)}`
  return `${faults[kind] ?? 0}${inVain}`
}

/** For people: a line for each figure. */
export function reportLines(report: Report): string[] {
  const { faults, recoveries, outside, backends, seen } = report
  const count = Object.values(faults).reduce((sum, each) => sum + each, 0)
  const lines: Array<[string, string]> = [
    ['seed', `${report.seed}, ${report.seconds.toFixed(0)} s, a lease of ${report.leaseSeconds} s`],
    [
      'runs',
      `${number(report.runs)}, ${(report.runs / report.seconds).toFixed(0)}/s (${number(report.acknowledged)} starts acknowledged, ${number(countOf(report.refused))} calls failed), ${number(report.attempts)} attempts, ${number(report.reclaimed)} of them reclaimed; ${number(report.megabytes)} MB`,
    ],
    [
      'acknowledged, of those asked for',
      Object.entries(report.asked)
        .map(([kind, { tried, acknowledged }]) => `${kind} ${acknowledged}/${tried}`)
        .join(', '),
    ],
    ['refused, by what was said', byCount(report.refused) || 'none'],
    [
      'attempts that failed by faults',
      `${number(seen.failedByFaults)}; ${number(report.deadlocks)} deadlocks`,
    ],
    [
      'looked at',
      `${number(seen.redriven)} redrives, ${number(seen.deadLetters)} dead letters, ${number(seen.calledRuns)} called runs, ${number(seen.signals)} signals, ${number(seen.cancelled)} cancellations, ${number(seen.locksHeld)} locks held, ${number(seen.changes)} changes`,
    ],
    [
      'faults',
      `${number(count)}, ${((60 * count) / report.seconds).toFixed(1)} a minute${report.missed.length > 0 ? `, and ${report.missed.length} that were tried in vain` : ''}`,
    ],
    ...[...new Set([...Object.keys(faults), ...report.missed.map(({ kind }) => kind)])].map(
      (kind): [string, string] => [`  ${kind}`, timesOf(kind, report)],
    ),
    ...Object.entries(report.missing).map(([kind, reason]): [string, string] => [
      `  ${kind}`,
      `left out: ${reason}`,
    ]),
    [
      'lost, ended twice, duplicate effects',
      `${report.lost}, ${report.endedTwice}, ${report.duplicateEffects}`,
    ],
    ['limits exceeded', `${report.capsExceeded}`],
    [
      'calls to the outside',
      `${number(outside.called)} steps, ${outside.repeated} calls repeated, in attempts that came after others`,
    ],
    ...recoveries.map(({ alone, locked, pooled }): [string, string] => [
      alone ? 'begins elsewhere after a death' : '  with other faults meanwhile',
      `${figure(locked)}; behind PgBouncer ${figure(pooled)}`,
    ]),
    ['back at work after a restart', figure(report.backAfterRestart)],
    ['a dead listener listens again', figure(report.backAfterListener)],
    ...report.growths
      .slice(0, 4)
      .map(({ minutes, memory, heap, descriptors }): [string, string] => [
        'memory of a worker',
        `${slope(memory)}, heap ${slope(heap)}, over ${minutes.toFixed(0)} min, ${descriptors.join(' → ')} descriptors`,
      ]),
    ...(report.calm && !report.growths.some(isJudged)
      ? [
          ['  not judged', `too short: less than ${judgedMinutes} min of a worker after its first fifth`] as [
            string,
            string,
          ],
        ]
      : []),
    ['longest rest of a worker in order', `${report.longestRestSeconds.toFixed(1)} s`],
    ['backends', `${backends.first} at first, ${backends.last} at last, ${backends.most} at most`],
    [
      'stuck',
      `${report.stuck === undefined ? '0' : 'yes, see below'}, by ${number(report.looks)} looks; ${report.calmSeconds.toFixed(0)} s were calm`,
    ],
  ]
  return lines.map(([name, value]) => `${name.padEnd(42)} ${value}`)
}

const countOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

const byCount = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ')

const number = (value: number): string => value.toLocaleString('en-US')

function slope(of: Slope | undefined): string {
  return of === undefined
    ? 'not measured'
    : `${of.megabytes.toFixed(1)} MB at ${of.percentPerHour.toFixed(2)} %/h`
}

export function figure(of: Figure | undefined): string {
  if (of === undefined) return 'never seen'
  const [p50, p99, most] = [of.p50, of.p99, of.most].map((ms) => `${(ms / 1_000).toFixed(2)} s`)
  return `p50 ${p50}, p99 ${p99}, at most ${most}, of ${of.count}`
}
