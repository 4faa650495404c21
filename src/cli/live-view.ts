// Owns a view that is drawn again and again in its place on a terminal.
import type { Terminal } from './terminal.ts'
import { createTerminal } from './terminal.ts'

export interface LiveView {
  /** Draws what this prints, in the place of what was drawn before. */
  draw(print: (terminal: Terminal) => void): void
}

/** @param rows how many lines the terminal has; what is longer is cut, because nobody could draw over what has scrolled away */
export function liveView(terminal: Terminal, rows: number): LiveView {
  let drawn = 0
  let shown = ''
  return {
    draw: (print) => {
      const lines = linesOf(terminal, print)
      const cut =
        lines.length < rows
          ? lines
          : [...lines.slice(0, rows - 2), `… and ${lines.length - rows + 2} more lines`]
      const text = cut.map((line) => `${line}${eraseToEnd}\n`).join('')
      if (text === shown) return
      shown = text
      terminal.write(`${drawn === 0 ? '' : `\u001b[${drawn}A`}${text}${eraseBelow}`)
      drawn = cut.length
    },
  }
}

const eraseToEnd = '\u001b[K'
const eraseBelow = '\u001b[J'

function linesOf({ columns, isTerminal }: Terminal, print: (terminal: Terminal) => void): string[] {
  let text = ''
  const stdout = {
    isTTY: isTerminal,
    columns,
    write: (part: string | Uint8Array) => void (text += String(part)),
  }
  print(createTerminal({ stdout, stderr: stdout, environment: {} }, false))
  return text.replace(/\n$/, '').split('\n')
}
