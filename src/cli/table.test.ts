// Tables: their widths, their cuts, and what a pipe sees of them.
import { expect, test } from 'vitest'
import { type Column, printTable } from './table.ts'
import { createTerminal } from './terminal.ts'

interface Row {
  readonly id: string
  readonly name: string
  readonly size: number
}

const plainColumns: readonly Column<Row>[] = [
  { title: 'id', cell: ({ id }) => id, whole: true },
  { title: 'name', cell: ({ name }) => name },
  { title: 'size', cell: ({ size }) => String(size), side: 'right' },
]

function printed(columns: number, isTTY = false, told = plainColumns): string {
  let text = ''
  const stdout = { isTTY, columns: 200, write: (more: string) => void (text += more) }
  const terminal = createTerminal(
    { stdout, stderr: stdout, environment: { COLUMNS: String(columns), NO_COLOR: '1' } },
    false,
  )
  printTable(terminal, told, rows)
  return text
}

const rows = [
  { id: 'a-long-id', name: 'short', size: 7 },
  { id: 'b', name: 'a name that is long\nand has lines', size: 12_345 },
]

test('a table that fits is as wide as its cells, without rules or trailing space when piped', () => {
  expect(printed(80)).toBe(`id         name                                size
a-long-id  short                                  7
b          a name that is long and has lines  12345
`)
})

test('what is too wide is cut with …, an id never', () => {
  const text = printed(30)
  expect(text.split('\n')[2]).toBe('b          a name that…  12345')
  expect(text.split('\n')[1]).toBe('a-long-id  short             7')
})

test('what may stand below does so where the table has no room for it', () => {
  const below = (columns: number) =>
    printed(columns, false, [
      { title: 'name', cell: ({ name }) => name },
      { title: 'id', cell: ({ id }) => id, whole: true, below: true },
      { title: 'size', cell: ({ size }) => String(size), side: 'right', whole: true },
    ])
  expect(below(30)).toBe(`name          id          size
short         a-long-id      7
a name that…  b          12345
`)
  expect(below(20)).toBe(`name            size
short              7
  id a-long-id
a name that …  12345
  id b
`)
})

test('on a terminal the head is ruled off', () => {
  expect(printed(30, true).split('\n')[1]).toBe('─'.repeat(30))
})
