// Owns how commands tell what was erased, or would be: how many rows of each table.
import { grouped } from '../core/wording.ts'
import type { RowCounts } from '../db/erasures.ts'
import { type Column, printTable } from './table.ts'
import type { Terminal } from './terminal.ts'

export function printRows(terminal: Terminal, rows: RowCounts): void {
  const tables = Object.entries(rows).map(([table, count]) => ({ table, count }))
  if (tables.length > 0) printTable(terminal, columns, tables)
}

const columns: readonly Column<{ readonly table: string; readonly count: number }>[] = [
  { title: 'table', cell: ({ table }) => table },
  { title: 'rows', cell: ({ count }) => grouped(count), side: 'right' },
]
