// What two revisions measured, side by side: the ratio of each row, and whether it is more than the rounds of one revision differ among themselves.
import type { Judged, Spread } from './report.ts'

export interface Comparison {
  readonly compared: readonly Compared[]
  readonly alone: readonly Alone[]
  readonly faults: readonly Fault[]
}

export interface Compared {
  readonly figure: string
  readonly label: string
  readonly unit: string
  readonly before: Spread
  readonly now: Spread
  /** Now by before; null where that was nothing, and this is not. */
  readonly ratio: number | null
  /** The floor now by the floor before: how far the machine itself was the same for both. */
  readonly floorRatio: number | null
  /** Better or worse where no round of the one lies among those of the other; a value that was taken once has nothing to lie among. */
  readonly verdict: 'better' | 'worse' | 'same' | 'one value'
}

type Side = 'before' | 'now'

/** A row that one of the two lacks. */
export interface Alone {
  readonly figure: string
  readonly label: string
  readonly unit: string
  readonly side: Side
  readonly values: Spread
}

/** What one of the two could not measure. */
export interface Fault {
  readonly figure: string
  readonly side: Side
  readonly fault: string
}

/** What a side tells of a figure in the end. */
export type Outcome = { readonly rows: readonly Judged[] } | { readonly fault: string }

export function comparisonOf(figure: string, before: Outcome, now: Outcome): Comparison {
  const faults = [...faultOf(figure, 'before', before), ...faultOf(figure, 'now', now)]
  if ('fault' in before || 'fault' in now) return { compared: [], alone: [], faults }
  return {
    compared: compareRows(before.rows, now.rows),
    alone: [...aloneIn(before.rows, 'before', now.rows), ...aloneIn(now.rows, 'now', before.rows)],
    faults,
  }
}

/** The rows that both have. */
export function compareRows(before: readonly Judged[], now: readonly Judged[]): Compared[] {
  return now.flatMap((row) => {
    const earlier = before.find(({ label }) => label === row.label)
    return earlier === undefined ? [] : [compared(earlier, row)]
  })
}

function aloneIn(rows: readonly Judged[], side: Side, others: readonly Judged[]): Alone[] {
  return rows
    .filter(({ label }) => others.every((other) => other.label !== label))
    .map(({ figure, label, unit, ours }) => ({ figure, label, unit, side, values: ours }))
}

function faultOf(figure: string, side: Side, outcome: Outcome): Fault[] {
  return 'fault' in outcome ? [{ figure, side, fault: outcome.fault }] : []
}

function compared(before: Judged, now: Judged): Compared {
  return {
    figure: now.figure,
    label: now.label,
    unit: now.unit,
    before: before.ours,
    now: now.ours,
    ratio: ratioOf(before.ours, now.ours),
    floorRatio: before.floor === null || now.floor === null ? null : ratioOf(before.floor, now.floor),
    verdict: verdictOf(before.ours, now.ours, isMoreBetter(now)),
  }
}

/** Nothing by nothing is the same. */
function ratioOf(before: Spread, now: Spread): number | null {
  if (before.median === 0) return now.median === 0 ? 1 : null
  return now.median / before.median
}

/** A goal bounds ours, or its ratio to a floor, from one side: it is better to be further from there. Without one, a rate is. */
function isMoreBetter({ unit, goal }: Judged): boolean {
  return goal === null ? unit.endsWith('/s') : 'atLeast' in goal
}

function verdictOf(before: Spread, now: Spread, isMoreBetter: boolean): Compared['verdict'] {
  if (before.rounds.length === 1 || now.rounds.length === 1) return 'one value'
  if (now.min > before.max) return isMoreBetter ? 'better' : 'worse'
  if (now.max < before.min) return isMoreBetter ? 'worse' : 'better'
  return 'same'
}

const widths = [33, 10, 10, 6, 6, 6] as const

export const comparisonHeading = (): string =>
  `${line(['figure', 'before', 'now', 'ratio', 'floors', ''])}\n${'-'.repeat(80)}`

export function comparisonText({ label, unit, before, now, ratio, floorRatio, verdict }: Compared): string {
  const cells = [
    label,
    number(before.median),
    number(now.median),
    ratio?.toFixed(2) ?? '',
    floorRatio?.toFixed(2) ?? '',
  ]
  const ranges = `before ${rangeText(before)}, now ${rangeText(now)} ${unit}`
  return `${line([...cells, verdict === 'same' ? '' : verdict])}\n    ${ranges}`
}

export function comparisonTexts({ compared: rows, alone, faults }: Comparison): string[] {
  return [...rows.map(comparisonText), ...alone.map(aloneText), ...faults.map(faultText)]
}

const sides: Readonly<Record<Side, string>> = { before: 'the other revision', now: 'this checkout' }

const aloneText = ({ label, unit, side, values }: Alone): string =>
  `${label}: only ${sides[side]} has this row, ${rangeText(values)} ${unit}`.trimEnd()

const faultText = ({ figure, side, fault }: Fault): string =>
  `${figure}: not measured, since ${sides[side]} says: ${fault}`

const rangeText = ({ min, max }: Spread): string => `${number(min)} to ${number(max)}`

const line = (cells: readonly string[]): string =>
  cells
    .map((cell, place) => (place === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[place] ?? 0)))
    .join(' ')
    .trimEnd()

function number(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
