// The ledger: the rows of docs/ledger.md and docs/faults.md, each with the tests whose title begins with its id.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Row, rowsOf } from './rows.ts'
import { idsOf, type Test, testsBelow } from './titles.ts'

export type Ledger = {
  open: number
  proved: number
  /** Tests whose title names a row that does not exist. */
  unknown: Test[]
  rows: (Row & { tests: Test[] })[]
}

const pages = ['docs/ledger.md', 'docs/faults.md']
const test_folders = ['src', 'sql', 'test', 'scripts', 'examples', 'bench', 'console']

export function readLedger(root: string): Ledger {
  const rows = pages.flatMap((page) => rowsOf(readFileSync(join(root, page), 'utf8'), page))
  const tests = test_folders.flatMap((folder) => testsBelow(root, folder))
  return ledgerOf(rows, tests)
}

/** Which test proves which row. A row with several ids is proved by a test of any of them. */
export function ledgerOf(rows: Row[], tests: Test[]): Ledger {
  const known = new Set(rows.flatMap((row) => row.ids))
  const named = tests.map((test) => ({ test, ids: idsOf(test.title, known) }))
  const with_tests = rows.map((row) => ({
    ...row,
    tests: named.filter(({ ids }) => ids.some((id) => row.ids.includes(id))).map(({ test }) => test),
  }))
  const proved = with_tests.filter((row) => row.tests.length > 0).length
  const unknown = named.filter(({ ids }) => ids.some((id) => !known.has(id))).map(({ test }) => test)
  return { open: rows.length - proved, proved, unknown, rows: with_tests }
}

/** The ledger as text: each row, its tests below it, the sum at the end. */
export function inWords({ rows, open, proved, unknown }: Ledger): string {
  return [
    ...rows.flatMap((row) => [
      rowLine(row),
      ...row.tests.map(({ file, title }) => `        ${file}: ${title}`),
    ]),
    ...unknown.map(({ file, title }) => `?     ${file}: "${title}" names a row that does not exist`),
    `${proved + open} rows: ${proved} proved, ${open} open.`,
  ].join('\n')
}

function rowLine({ ids, holds, tests }: Ledger['rows'][number]): string {
  const line = `${tests.length > 0 ? 'ok  ' : 'open'}  ${ids.join(', ').padEnd(8)} ${holds}`
  return line.length > 110 ? `${line.slice(0, 109)}…` : line
}
