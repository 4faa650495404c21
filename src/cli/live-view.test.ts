// A view that is drawn over itself: what a terminal gets, whatever its size.
import { expect, test } from 'vitest'
import { liveView } from './live-view.ts'
import { createTerminal } from './terminal.ts'

/** A terminal of this size, and what was written to it last. */
function screen(columns: number, rows: number) {
  const written: string[] = []
  const stdout = {
    isTTY: true,
    columns,
    rows,
    write: (text: string | Uint8Array) => void written.push(String(text)),
  }
  const streams = { stdout, stderr: stdout, environment: { NO_COLOR: '1' } }
  const view = liveView(createTerminal(streams, false), streams)
  const draw = (...lines: string[]): string => {
    view.draw((paper) => {
      for (const line of lines) paper.print(paper.colours.bold(line))
    })
    return written.at(-1) ?? ''
  }
  return { stdout, draw }
}

test('what is drawn over is counted in rows of the terminal, not in lines, also after it was resized', () => {
  const { stdout, draw } = screen(20, 24)
  expect(draw('x'.repeat(41), 'short')).toBe(`\u001b[J${'x'.repeat(41)}\nshort\n`)
  expect(draw('y'.repeat(20), '')).toBe(`\u001b[4A\u001b[J${'y'.repeat(20)}\n\n`)
  stdout.columns = 10
  expect(draw('z')).toBe('\u001b[3A\u001b[Jz\n')
})

test('a terminal that does not know its size, and says 0, is one of 80 columns and 24 rows', () => {
  const { draw } = screen(0, 0)
  expect(draw('x'.repeat(81), 'b')).toBe(`\u001b[J${'x'.repeat(81)}\nb\n`)
  expect(draw('y')).toBe('\u001b[3A\u001b[Jy\n')
})

test('what the terminal has no room for is cut, in its own rows', () => {
  const { stdout, draw } = screen(20, 6)
  expect(draw('x'.repeat(60), 'b', 'c', 'd')).toContain(`${'x'.repeat(60)}\nb\n… and 2 more lines\n`)
  stdout.rows = 8
  expect(draw('x'.repeat(60), 'b', 'c', 'd')).toBe(`\u001b[5A\u001b[J${'x'.repeat(60)}\nb\nc\nd\n`)
})
