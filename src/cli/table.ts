// Owns tables: as wide as the terminal at most, cells cut with …, ruled on a terminal and plain when piped.
import CliTable from 'cli-table3'
import { cut, width } from '../core/text-width.ts'
import { oneLine } from '../core/wording.ts'
import type { Terminal } from './terminal.ts'

export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => string
  /** Never cut, such as an id that is copied, or a word that is known by its end. */
  readonly whole?: boolean
  /** On a line of its own under each row, where the table has no room for it: an id takes nearly half of 80 columns. */
  readonly below?: boolean
  readonly side?: 'left' | 'right'
  /** Colours the cell, which is cut by then. */
  readonly paint?: ((cell: string) => string) | undefined
}

const gap = 2
const narrowest = 4

export function printTable<Row>(
  terminal: Terminal,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): void {
  if (terminal.json) return
  const under = columns.filter(({ below }) => below === true)
  const { lines, fits } = layOut(terminal, columns, rows)
  if (fits || under.length === 0) return printLines(terminal, lines)
  const across = columns.filter(({ below }) => below !== true)
  const narrower = layOut(terminal, across, rows).lines
  const heads = narrower.length - rows.length
  printLines(terminal, narrower.slice(0, heads))
  for (const [index, row] of rows.entries())
    printLines(terminal, [narrower[heads + index] ?? '', ...linesUnder(under, row)])
}

function printLines(terminal: Terminal, lines: readonly string[]): void {
  for (const line of lines) terminal.print(line)
}

function linesUnder<Row>(columns: readonly Column<Row>[], row: Row): string[] {
  return columns.flatMap(({ title, cell }) => (cell(row) === '' ? [] : [`  ${title} ${oneLine(cell(row))}`]))
}

/** The head, on a terminal a rule, and a line for each row; and whether none is wider than the terminal. */
function layOut<Row>(
  terminal: Terminal,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): { readonly lines: readonly string[]; readonly fits: boolean } {
  const cells = rows.map((row) => columns.map((column) => oneLine(column.cell(row))))
  const widths = fitWidths(columns, cells, terminal.columns)
  const table = new CliTable({
    chars: { ...noRules, ...(terminal.isTerminal ? headRule : {}) },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    colWidths: widths.map((width, index) => (index === widths.length - 1 ? width : width + gap)),
    head: columns.map((column, index) =>
      terminal.colours.bold(finished(column.title, { ...column, paint: undefined }, widths[index] ?? 0)),
    ),
  })
  table.push(
    ...cells.map((row) => row.map((cell, index) => finished(cell, columns[index], widths[index] ?? 0))),
  )
  const lines = table.toString().split('\n')
  return { lines: lines.map((line) => line.trimEnd()), fits: totalOf(widths) <= terminal.columns }
}

const noRules = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
}

const headRule = { mid: '─' }

/** Cut and set here, so that the gap to the next column stays: the library would fill it. */
function finished<Row>(cell: string, column: Column<Row> | undefined, columns: number): string {
  const shown = cut(cell, columns)
  const set = column?.side === 'right' ? shown.padStart(columns) : shown
  return column?.paint === undefined ? set : column.paint(set)
}

/** Each column as wide as its widest cell; where that is too much, the widest that may be cut give way. */
function fitWidths<Row>(columns: readonly Column<Row>[], cells: readonly string[][], most: number): number[] {
  const widths = columns.map(({ title }, index) =>
    Math.max(width(title), ...cells.map((row) => width(row[index] ?? ''))),
  )
  for (;;) {
    const widest = widestOf(columns, widths)
    if (totalOf(widths) <= most || widest === undefined) return widths
    widths[widest] = (widths[widest] ?? 0) - 1
  }
}

function totalOf(widths: readonly number[]): number {
  return widths.reduce((sum, one) => sum + one, gap * (widths.length - 1))
}

function widestOf<Row>(columns: readonly Column<Row>[], widths: readonly number[]): number | undefined {
  let widest: number | undefined
  for (const [index, column] of columns.entries()) {
    const isCuttable =
      column.whole !== true && (widths[index] ?? 0) > Math.max(narrowest, width(column.title))
    if (isCuttable && (widest === undefined || (widths[index] ?? 0) > (widths[widest] ?? 0))) widest = index
  }
  return widest
}
