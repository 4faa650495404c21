// Owns a view that is drawn again and again in its place on a terminal.
import { stripVTControlCharacters } from 'node:util'
import { width } from '../core/text-width.ts'
import { createTerminal, type Streams, type Terminal } from './terminal.ts'

export interface LiveView {
  /** Draws what this prints, in the place of what was drawn before. */
  draw(print: (terminal: Terminal) => void): void
}

const rowsDefault = 24

/** What is longer than the terminal is cut, because nobody could draw over what has scrolled away. How large that is, is asked each time: it may be resized. */
export function liveView(terminal: Terminal, { stdout, environment }: Omit<Streams, 'stderr'>): LiveView {
  let drawn: readonly string[] = []
  let shown = ''
  return {
    draw: (print) => {
      // A terminal that nobody has told its size says 0, as that of a container.
      const columns = stdout.columns || terminal.columns
      const lines = fitting(printed(print, columns, environment), stdout.rows || rowsDefault, columns)
      const text = lines.map((line) => `${line}\n`).join('')
      if (text === shown) return
      const up = rowsOf(drawn, columns)
      terminal.write(`${up === 0 ? '' : `\u001b[${up}A`}${eraseBelow}${text}`)
      shown = text
      drawn = lines
    },
  }
}

const eraseBelow = '\u001b[J'

function printed(
  print: (terminal: Terminal) => void,
  columns: number,
  environment: Streams['environment'],
): string[] {
  let text = ''
  const stdout = { isTTY: true, columns, write: (part: string | Uint8Array) => void (text += String(part)) }
  print(createTerminal({ stdout, stderr: stdout, environment }, false))
  return text.replace(/\n$/, '').split('\n')
}

/** As many lines as there is room for, and a last one that says how many more there are. */
function fitting(lines: readonly string[], rows: number, columns: number): readonly string[] {
  if (rowsOf(lines, columns) < rows) return lines
  let room = rows - 2
  const end = lines.findIndex((line) => (room -= rowsOf([line], columns)) < 0)
  return [...lines.slice(0, end), `… and ${lines.length - end} more lines`]
}

/** A line that is longer than the terminal is wide goes on in the next row. */
function rowsOf(lines: readonly string[], columns: number): number {
  const rows = lines.map((line) => Math.ceil(width(stripVTControlCharacters(line)) / columns))
  return rows.reduce((sum, one) => sum + Math.max(1, one), 0)
}
