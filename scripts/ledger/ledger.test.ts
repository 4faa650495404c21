// The ledger reads its pages and our tests as they are written.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { inWords, isOpen, ledgerOf, readLedger } from './ledger.ts'
import { reasonsOf, rowsOf } from './rows.ts'
import { idsOf, testsOf } from './titles.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const known = new Set(['PP-C1', 'PP-C5', 'PP-C7', 'JQ-3', 'JQ-5', 'A1', 'A3', 'C5'])

describe('the ids at the head of a title', () => {
  test.each([
    ['PP-C1 two callers get one run', ['PP-C1']],
    ['PP-C1 PP-C5 two callers get one run', ['PP-C1', 'PP-C5']],
    ['PP-C1, C5 two callers get one run', ['PP-C1', 'PP-C5']],
    ['PP-C1 C5 two callers get one run', ['PP-C1', 'PP-C5']],
    ['PP-C7 A3 a lost completion is raised', ['PP-C7', 'A3']],
    ['A3 and PP-C7: a lost completion is raised', ['A3', 'PP-C7']],
    ['C5 a healed partition leaves nothing stuck', ['C5']],
    ['JQ-3, 5 a killed worker is seen', ['JQ-3', 'JQ-5']],
    ['JQ-3 5 tasks of a killed worker run again', ['JQ-3']],
    ['JQ-3, A1 a killed worker is seen', ['JQ-3', 'A1']],
    ['JQ-99 nothing of the kind', ['JQ-99']],
    ['A run ends', []],
    ['100 calls give one run', []],
  ])('%j', (title, ids) => {
    expect(idsOf(title, known)).toEqual(ids)
  })
})

test('a row may have several ids, and headings are no rows', () => {
  const markdown = '| id | a | b |\n|---|---|---|\n| PP-C1, C5 | twice | once |\n| A1 | killed | `a | b` |\n'
  expect(rowsOf(markdown, 'docs/ledger.md').map((row) => row.ids)).toEqual([['PP-C1', 'PP-C5'], ['A1']])
})

test('tests are found by their title, in each quote and form of call; what is no test, or is not to pass, proves nothing', () => {
  const source = `
    test('A1 single', () => {})
    it("A2 double", () => {})
    test.each([[1, (2)]])(\`A3 each %s\`, () => {})
    test.each\`a\`('A4 in a table', () => {})
    describe('A5 a group', () => { test('of one', () => {}) })
    test.skipIf(!isThere).each([1])('A6 where it can', () => {})
    describe.runIf(isThere)('a group', () => { test('A7 within', () => {}) })
    // test('B1 said', () => {})
    test.skip('B2 skipped', () => {})
    test.skip.each([1])('B3 skipped', () => {})
    test.fails('B4 failing', () => {})
    test.todo('B5 to be done')
    describe('B6 without a test', () => {})
    describe.skip('B7 skipped', () => { test('B8 as well', () => {}) })
    print('B9 no test', "test('B10 a text', () => {})")`
  expect(testsOf(source, 'a.test.ts').map(({ title, somewhere }) => [title, somewhere])).toEqual([
    ['A1 single', false],
    ['A2 double', false],
    ['A3 each %s', false],
    ['A4 in a table', false],
    ['A5 a group', false],
    ['A6 where it can', true],
    ['A7 within', true],
  ])
})

test('a row is proved by a test of any of its ids, open without one, and a foreign id is told', () => {
  const rows = rowsOf('| PP-C1, C5 | twice | once |\n| A1 | killed | elsewhere |\n', 'docs/ledger.md')
  const tests = [
    { title: 'PP-C5 one run', file: 'a.test.ts', somewhere: true },
    { title: 'B9 what is that', file: 'b.test.ts', somewhere: false },
  ]
  expect(inWords(ledgerOf(rows, tests)).split('\n')).toEqual([
    'ok    PP-C1, PP-C5 once',
    '        a.test.ts: PP-C5 one run (left out where something is missing)',
    'open  A1       elsewhere',
    '?     b.test.ts: "B9 what is that" names a row that does not exist',
    'docs/ledger.md: 2 rows: 1 proved (1 only where their tests find what they need), 0 with a reason, 1 open.',
  ])
})

test('a row without a test may have a reason, which is told; one that has a test, or is not there, needs none', () => {
  const markdown =
    '| A1 | killed | elsewhere |\n| A2 | stopped | refused |\n\n| id | why |\n|---|---|\n| A1 | there is no room for it |\n'
  const rows = rowsOf(markdown, 'docs/faults.md')
  const ledger = ledgerOf(rows, [], reasonsOf(markdown))
  expect(inWords(ledger).split('\n')).toEqual([
    'why   A1       elsewhere',
    '        there is no room for it',
    'open  A2       refused',
    'docs/faults.md: 2 rows: 0 proved (0 only where their tests find what they need), 1 with a reason, 1 open.',
  ])
  const proved = ledgerOf(
    rows,
    [{ title: 'A1 a run goes on', file: 'a.test.ts', somewhere: false }],
    new Map([...reasonsOf(markdown), ['B7', 'nothing']]),
  )
  expect(proved.stale).toEqual(['A1', 'B7'])
})

describe('the project', () => {
  const ledger = readLedger(root)

  test('has each id once', () => {
    const ids = ledger.rows.flatMap((row) => row.ids)
    expect(ids.filter((id, place) => ids.indexOf(id) !== place)).toEqual([])
  })

  test('names no row in a title that does not exist', () => {
    expect(ledger.unknown).toEqual([])
  })

  test('gives a reason for no row that has a test', () => {
    expect(ledger.stale).toEqual([])
  })

  test('has a test or a written reason for each fault', () => {
    expect(
      ledger.rows.filter((row) => row.page === 'docs/faults.md' && isOpen(row)).map(({ ids }) => ids),
    ).toEqual([])
  })

  test('prints open rows as data', () => {
    const printed = execFileSync(process.execPath, ['scripts/ledger.mjs', '--json', '--open'], { cwd: root })
    const { rows, open } = JSON.parse(printed.toString()) as { rows: { tests: unknown[] }[]; open: number }
    expect(rows.length).toBe(open)
    expect(rows.every((row) => row.tests.length === 0)).toBe(true)
  })
})
