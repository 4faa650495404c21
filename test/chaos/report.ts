// The report of a run of chaos: its figures, and whether it broke a promise.
import type { Figure } from './recovery.ts'
import type { Growth, Slope } from './soak.ts'
import type { Asked } from './tally.ts'

export interface Report {
  readonly seed: number
  readonly seconds: number
  readonly calm: boolean
  readonly leaseSeconds: number
  readonly runs: number
  readonly attempts: number
  /** Attempts whose worker was lost, by a fault or because this machine was too busy for its heartbeats. */
  readonly reclaimed: number
  /** What the database takes with all of it. */
  readonly megabytes: number
  /** How often each kind was carried out. */
  readonly faults: Readonly<Record<string, number>>
  /** Those that could not be, as things stood. */
  readonly missed: readonly string[]
  /** Kinds that can't be had on this machine. */
  readonly missing: Readonly<Record<string, string>>
  readonly acknowledged: number
  /** By what the load asked for. */
  readonly asked: Readonly<Record<string, Asked>>
  readonly refused: number
  readonly lost: number
  readonly endedTwice: number
  readonly duplicateEffects: number
  readonly capsExceeded: number
  readonly outside: { readonly called: number; readonly repeated: number; readonly otherKey: number }
  /** Slots that were busy as faults began, all together. */
  readonly repeatedMost: number
  readonly recoveries: ReadonlyArray<{
    readonly alone: boolean
    readonly locked: Figure | undefined
    readonly pooled: Figure | undefined
  }>
  readonly backAfterRestart: Figure | undefined
  readonly backAfterListener: Figure | undefined
  readonly growths: readonly Growth[]
  readonly backends: { readonly first: number; readonly last: number; readonly most: number }
  /** Accounts, locks and activity, where something did not go on. */
  readonly stuck: string | undefined
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
  asked,
  outside,
  repeatedMost,
  reclaimed,
  calm,
  growths,
  backends,
  backAfterRestart,
}: Report): string[] {
  const repeatedLess = calm ? reclaimed : repeatedMost
  return [
    ...broken,
    ...(evidence === '' ? [] : [evidence]),
    ...(stuck === undefined ? [] : [`Something is stuck:\n${stuck}`]),
    ...Object.entries(asked).flatMap(refusedFaults),
    ...(outside.otherKey === 0
      ? []
      : [`${outside.otherKey} calls to the outside were made again under another key.`]),
    ...(outside.repeated <= repeatedLess
      ? []
      : [`${outside.repeated} calls to the outside were made again, and at most ${repeatedLess} may be.`]),
    ...lateFaults(backAfterRestart),
    ...(calm ? [...growths.flatMap(growthFaults), ...backendFaults(growths, backends)] : []),
  ]
}

/** Fewer may all have met faults. */
const judgedTries = 10

function refusedFaults([kind, { tried, acknowledged }]: [string, Asked]): string[] {
  return acknowledged > 0 || tried < judgedTries
    ? []
    : [`The load asked ${tried} times for ${kind}, and was refused each time.`]
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

/** Of an hour, less what it takes to become warm; a slope over much less is noise. */
const judgedMinutes = 30
const percentPerHourMax = 1
/** Pools open a connection more when many ask at once. */
const moreMost = 2

function growthFaults({ minutes, memory, heap, descriptors }: Growth): string[] {
  if (minutes < judgedMinutes) return []
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
  const isJudged = growths.some(({ minutes }) => minutes >= judgedMinutes)
  return !isJudged || last <= first + moreMost * growths.length
    ? []
    : [`The backends of the server grew from ${first} to ${last}.`]
}

/** For people: a line for each figure. */
export function reportLines(report: Report): string[] {
  const { faults, recoveries, outside, backends } = report
  const count = Object.values(faults).reduce((sum, each) => sum + each, 0)
  const lines: Array<[string, string]> = [
    ['seed', `${report.seed}, ${report.seconds.toFixed(0)} s, a lease of ${report.leaseSeconds} s`],
    [
      'runs',
      `${number(report.runs)}, ${(report.runs / report.seconds).toFixed(0)}/s (${number(report.acknowledged)} starts acknowledged, ${number(report.refused)} calls failed), ${number(report.attempts)} attempts, ${number(report.reclaimed)} of them reclaimed; ${number(report.megabytes)} MB`,
    ],
    [
      'acknowledged, of those asked for',
      Object.entries(report.asked)
        .map(([kind, { tried, acknowledged }]) => `${kind} ${acknowledged}/${tried}`)
        .join(', '),
    ],
    [
      'faults',
      `${number(count)}, ${((60 * count) / report.seconds).toFixed(1)} a minute${report.missed.length > 0 ? `, and ${report.missed.length} that were not to be had` : ''}`,
    ],
    ...Object.entries(faults).map(([kind, times]): [string, string] => [`  ${kind}`, `${times}`]),
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
      `${number(outside.called)} steps, ${outside.repeated} calls repeated (${number(report.repeatedMost)} slots were busy at faults), ${outside.otherKey} under another key`,
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
    ['backends', `${backends.first} at first, ${backends.last} at last, ${backends.most} at most`],
    ['stuck', report.stuck === undefined ? '0' : 'yes, see below'],
  ]
  return lines.map(([name, value]) => `${name.padEnd(42)} ${value}`)
}

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
