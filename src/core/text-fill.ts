// Owns the filling of lines: words up to 80 columns, with an indent of their own for the first line and those after it.
import { unprintable } from './printable.ts'
import { characters, width } from './text-width.ts'

const columnsMax = 80

export interface Indents {
  readonly first: string
  readonly next: string
}

/** The text in lines of at most 80 columns, broken between words; a word that is longer than a line is cut. */
export function fill(text: string, { first, next }: Indents = { first: '', next: '  ' }): string[] {
  const lines: string[] = []
  let line = first
  let isEmpty = true
  const words = text.replaceAll(unprintable, ' ').split(' ')
  for (const word of words.flatMap((one) => pieces(one, columnsMax - next.length))) {
    if (!isEmpty && width(line) + 1 + width(word) > columnsMax) {
      lines.push(line.trimEnd())
      line = next
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  lines.push(line.trimEnd())
  return lines
}

function pieces(word: string, most: number): string[] {
  if (width(word) <= most) return [word]
  const all = characters(word)
  const cut: string[] = []
  for (let at = 0; at < all.length; at += most) cut.push(all.slice(at, at + most).join(''))
  return cut
}

/** Two texts in one line, the second at its right end; in two lines where they don't fit. */
export function opposite(left: string, right: string): string[] {
  const space = columnsMax - width(left) - width(right)
  return space < 2 ? [left, right.padStart(columnsMax)] : [`${left}${' '.repeat(space)}${right}`]
}

export function pad(text: string, columns: number, side: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, columns - width(text)))
  return side === 'left' ? text + space : space + text
}
