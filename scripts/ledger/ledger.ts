// The ledger: the findings of docs/ledger.md and the faults of docs/faults.md, each with the tests whose title begins with its id, or with the
// reason why there is none.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { reasonsOf, type Row, rowsOf } from './rows.ts'
import { idsOf, type Test, testsBelow } from './titles.ts'

/** What the rows of a page come to. */
type Sum = {
  page: string
  rows: number
  proved: number
  /** Of the proved: by nothing but tests that are left out on a machine that lacks what they need. */
  somewhere: number
  /** Without a test, and the page says why. */
  reasoned: number
  open: number
}

export type Ledger = {
  open: number
  proved: number
  somewhere: number
  reasoned: number
  pages: Sum[]
  /** Tests whose title names a row that does not exist. */
  unknown: Test[]
  /** Reasons for rows that have a test, or that are not there. */
  stale: string[]
  rows: ProvedRow[]
}

/** Open where it has neither tests nor a reason. */
export type ProvedRow = Row & { tests: Test[]; reason?: string }

const pages = ['docs/ledger.md', 'docs/faults.md']
const test_folders = ['src', 'sql', 'test', 'scripts', 'examples', 'bench', 'console']

export function readLedger(root: string): Ledger {
  const texts = pages.map((page) => ({ page, text: readFileSync(join(root, page), 'utf8') }))
  const rows = texts.flatMap(({ page, text }) => rowsOf(text, page))
  const reasons = new Map(texts.flatMap(({ text }) => [...reasonsOf(text)]))
  const tests = test_folders.flatMap((folder) => testsBelow(root, folder))
  return ledgerOf(rows, tests, reasons)
}

/** Which test proves which row. A row with several ids is proved by a test of any of them. */
export function ledgerOf(
  rows: Row[],
  tests: Test[],
  reasons: ReadonlyMap<string, string> = new Map(),
): Ledger {
  const known = new Set(rows.flatMap((row) => row.ids))
  const named = tests.map((test) => ({ test, ids: idsOf(test.title, known) }))
  const with_tests = rows.map((row): ProvedRow => {
    const reason = row.ids.map((id) => reasons.get(id)).find((found) => found !== undefined)
    return {
      ...row,
      tests: named.filter(({ ids }) => ids.some((id) => row.ids.includes(id))).map(({ test }) => test),
      ...(reason === undefined ? {} : { reason }),
    }
  })
  const unknown = named.filter(({ ids }) => ids.some((id) => !known.has(id))).map(({ test }) => test)
  const unproved = new Set(with_tests.filter((row) => row.tests.length === 0).flatMap((row) => row.ids))
  const { rows: _, page: __, ...sum } = sumOf('', with_tests)
  return {
    ...sum,
    pages: [...new Set(rows.map(({ page }) => page))].map((page) =>
      sumOf(
        page,
        with_tests.filter((row) => row.page === page),
      ),
    ),
    unknown,
    stale: [...reasons.keys()].filter((id) => !unproved.has(id)),
    rows: with_tests,
  }
}

function sumOf(page: string, rows: readonly ProvedRow[]): Sum {
  const proved = rows.filter(({ tests }) => tests.length > 0).length
  const open = rows.filter(isOpen).length
  const somewhere = rows.filter(isSomewhere).length
  return { page, rows: rows.length, proved, somewhere, reasoned: rows.length - proved - open, open }
}

export function isOpen({ tests, reason }: ProvedRow): boolean {
  return tests.length === 0 && reason === undefined
}

function isSomewhere({ tests }: ProvedRow): boolean {
  return tests.length > 0 && tests.every(({ somewhere }) => somewhere)
}

/** The ledger as text: each row, its tests or its reason below it, the sums of the pages at the end. */
export function inWords({ rows, pages: sums, unknown, stale }: Ledger): string {
  return [
    ...rows.flatMap((row) => [
      rowLine(row),
      ...row.tests.map(testLine),
      ...(row.tests.length > 0 || row.reason === undefined ? [] : [`        ${row.reason}`]),
    ]),
    ...unknown.map(({ file, title }) => `?     ${file}: "${title}" names a row that does not exist`),
    ...stale.map((id) => `?     ${id} has a reason, and needs none: it is proved, or there is no such row`),
    ...sums.map(
      ({ page, rows: all, proved, somewhere, reasoned, open }) =>
        `${page}: ${all} rows: ${proved} proved (${somewhere} only where their tests find what they need), ${reasoned} with a reason, ${open} open.`,
    ),
  ].join('\n')
}

function testLine({ file, title, somewhere }: Test): string {
  return `        ${file}: ${title}${somewhere ? ' (left out where something is missing)' : ''}`
}

function rowLine(row: ProvedRow): string {
  const mark = row.tests.length > 0 ? 'ok  ' : isOpen(row) ? 'open' : 'why '
  const line = `${mark}  ${row.ids.join(', ').padEnd(8)} ${row.holds}`
  return line.length > 110 ? `${line.slice(0, 109)}…` : line
}
