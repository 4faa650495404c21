// The table of figures: 80 columns, a line a row, and below it how far the rounds lay apart.
import type { Goal, Row } from './figure.ts'
import { median } from './measure.ts'

const widths = { label: 33, floor: 9, ours: 9, ratio: 7, goal: 9, met: 3 } as const
const lineWidth = 80

/** A row with what follows from it, as --json prints it. */
export interface Judged {
  readonly figure: string
  readonly label: string
  readonly unit: string
  readonly floor: Spread | null
  readonly ours: Spread
  readonly ratio: number | null
  readonly goal: Goal | null
  readonly met: boolean | null
  readonly note: string | null
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly rounds: readonly number[]
}

export function judge(figure: string, { label, unit, floor, ours, goal, note }: Row): Judged {
  const below = floor === undefined ? null : spread(floor)
  const above = spread(ours)
  const ratio = below === null ? null : above.median / below.median
  const met = goal === undefined ? null : meets(ratio ?? above.median, goal)
  return {
    figure,
    label,
    unit,
    floor: below,
    ours: above,
    ratio,
    goal: goal ?? null,
    met,
    note: note ?? null,
  }
}

function spread(rounds: readonly number[]): Spread {
  return { median: median(rounds), min: Math.min(...rounds), max: Math.max(...rounds), rounds }
}

function meets(value: number, goal: Goal): boolean {
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost
}

export function heading(): string {
  return `${line({ label: 'figure', floor: 'floor', ours: 'ours', ratio: 'ratio', goal: 'goal', met: 'met' })}\n${'-'.repeat(lineWidth)}`
}

export function rowText({ label, unit, floor, ours, ratio, goal, met, note }: Judged): string {
  const first = line({
    label,
    floor: floor === null ? '' : number(floor.median),
    ours: number(ours.median),
    ratio: ratio === null ? '' : ratio.toFixed(2),
    goal: goalText(goal),
    met: met === null ? '' : met ? 'yes' : 'no',
  })
  const ranges = [floor === null ? '' : `floor ${range(floor)}, `, `ours ${range(ours)} ${unit}`].join('')
  return [first, ...wrapped(note === null ? ranges : `${ranges}; ${note}`)].join('\n')
}

function line(cells: Record<keyof typeof widths, string>): string {
  const { label, floor, ours, ratio, goal, met } = cells
  return [
    label.padEnd(widths.label),
    floor.padStart(widths.floor),
    ours.padStart(widths.ours),
    ratio.padStart(widths.ratio),
    goal.padStart(widths.goal),
    met.padStart(widths.met),
  ]
    .join('  ')
    .trimEnd()
}

function goalText(goal: Goal | null): string {
  if (goal === null) return ''
  return 'atLeast' in goal ? `>= ${goal.atLeast}` : `<= ${goal.atMost}`
}

function range({ min, max }: Spread): string {
  return `${number(min)} to ${number(max)}`
}

function number(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function wrapped(text: string): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= lineWidth)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(`    ${word}`)
  }
  return lines
}
