// What two revisions measured, side by side: the ratio of each row, and whether it is more than the rounds of one revision differ among themselves.
import type { Judged, Spread } from './report.ts'

export interface Compared {
  readonly figure: string
  readonly label: string
  readonly unit: string
  readonly before: Spread
  readonly now: Spread
  /** Now by before. */
  readonly ratio: number
  /** The floor now by the floor before: how far the machine itself was the same for both. */
  readonly floorRatio: number | null
  /** Where no round of the one lies among those of the other. */
  readonly verdict: 'better' | 'worse' | 'same'
}

/** The rows that both have. */
export function compareRows(before: readonly Judged[], now: readonly Judged[]): Compared[] {
  return now.flatMap((row) => {
    const earlier = before.find(({ label }) => label === row.label)
    return earlier === undefined ? [] : [compared(earlier, row)]
  })
}

function compared(before: Judged, now: Judged): Compared {
  return {
    figure: now.figure,
    label: now.label,
    unit: now.unit,
    before: before.ours,
    now: now.ours,
    ratio: now.ours.median / before.ours.median,
    floorRatio: before.floor === null || now.floor === null ? null : now.floor.median / before.floor.median,
    verdict: verdictOf(before.ours, now.ours, isMoreBetter(now)),
  }
}

function isMoreBetter({ unit, goal }: Judged): boolean {
  if (goal !== null && !unit.endsWith('/s')) return 'atLeast' in goal
  return unit.endsWith('/s')
}

function verdictOf(before: Spread, now: Spread, isMoreBetter: boolean): Compared['verdict'] {
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
    ratio.toFixed(2),
    floorRatio?.toFixed(2) ?? '',
  ]
  const ranges = `before ${number(before.min)} to ${number(before.max)}, now ${number(now.min)} to ${number(now.max)} ${unit}`
  return `${line([...cells, verdict === 'same' ? '' : verdict])}\n    ${ranges}`
}

const line = (cells: readonly string[]): string =>
  cells
    .map((cell, place) => (place === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[place] ?? 0)))
    .join(' ')
    .trimEnd()

function number(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
