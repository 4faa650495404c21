// What the pages show in code: it compiles against the package, the database knows it, and the command line takes it.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exitStatuses } from '../src/cli/failure.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { type Block, blocksOf, pagesOf, type Piece, spansOf, textOfPage } from './pages/blocks.ts'
import { commands, faultOfCommand, takesOption } from './pages/command-line.ts'
import { refusalOf, signatures, statementsOf, unknownCalls } from './pages/sql.ts'
import { faultsOf } from './pages/typescript.ts'
import { isTest, readHouse, textOf } from './tidy/house.ts'

const pages = pagesOf()
const blocks = pages.flatMap((page) => blocksOf(page))
const spans = pages.flatMap((page) => spansOf(page))

/** Calls in a line, such as `await client.run(id).why()`; with `…` in it, a call is half a one. */
const calls = spans.filter(
  ({ text }) => /^(await |(client|db|prisma|connect|sql\.begin)\b[.(]).*\(/.test(text) && !text.includes('…'),
)

const inLanguage = (language: string): Block[] => blocks.filter((block) => block.language === language)
const at = ({ page, line }: Piece, fault: string): string => `${page}:${line}: ${fault}`

describe('TypeScript', () => {
  test('each block and each call in a line compiles against the package', () => {
    const pieces: Piece[] = [...inLanguage('ts'), ...calls]
    expect(inLanguage('ts').length).toBeGreaterThan(10)
    expect(calls.length).toBeGreaterThan(10)
    expect(faultsOf(pieces), 'what a piece takes for granted is declared in test/pages/contexts.ts').toEqual(
      [],
    )
  })

  test('what a table lists is there: calls, and where it lists all there are, all of them', () => {
    const calls = ['docs/durable.md', 'docs/testing.md'].flatMap((page) =>
      cellsOf(page).flatMap(({ line, first }) =>
        [...first.matchAll(/`(\w+)\(/g)].map(([, name]) => ({
          page,
          line,
          text: `${page === 'docs/durable.md' ? 'durable' : 'engine'}.${name}`,
        })),
      ),
    )
    expect(calls.length).toBeGreaterThan(20)
    const all = [
      everyNameOf('docs/cli.md', 'setting', 'keyof WorkerConfig'),
      everyNameOf('docs/versions.md', 'reason', 'WhyReason'),
    ]
    expect(faultsOf([...calls, ...all])).toEqual([])
  })

  test('a block that does not compile is told with its page, its line and the reason', () => {
    const text = "const run = pipeline('a')\n  .stop('b', () => 1)"
    expect(faultsOf([{ page: 'docs/made-up.md', line: 7, text }])).toEqual([
      expect.stringMatching(/^docs\/made-up\.md:8: TS2339: Property 'stop' does not exist/),
    ])
  })
})

describe('SQL', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase()
  })
  afterAll(() => database.close())

  const refusals = async (pieces: readonly Piece[]): Promise<string[]> => {
    const faults: string[] = []
    for (const piece of pieces) {
      const refusal = await refusalOf(database, piece)
      if (refusal !== undefined) faults.push(at(piece, refusal))
    }
    return faults
  }

  test('each statement can be prepared, and gives the columns that stand behind it', async () => {
    const inLines = spans.filter(({ text }) => /^(select|update|insert|delete) .*\bmillrace\./.test(text))
    const statements = [...inLanguage('sql').flatMap(statementsOf), ...inLines]
    expect(statements.length).toBeGreaterThan(20)
    expect(await refusals(statements)).toEqual([])
  })

  test('each call of a function in a line names a function, and its arguments', async () => {
    const known = await signatures(database)
    const pieces = [...inLanguage('sql'), ...spans.filter((span) => !calls.includes(span))]
    expect(
      pieces.flatMap((piece) => unknownCalls(piece.text, known).map((fault) => at(piece, fault))),
    ).toEqual([])
  })

  test('what the server does not know is told with its page and line', async () => {
    const block = { page: 'docs/made-up.md', line: 3, text: 'select 1;\nselect millrace.fly(:run);' }
    expect(await refusals(statementsOf(block))).toEqual([
      'docs/made-up.md:4: function millrace.fly(unknown) does not exist',
    ])
    const rows = { ...block, text: "select * from millrace.start_run('a'); -- run_id, wings" }
    expect(await refusals([rows])).toEqual(['docs/made-up.md:3: its rows have no wings'])
    expect(unknownCalls('millrace.cancel_run(id, wings => 2)', await signatures(database))).toHaveLength(1)
  })
})

describe('the command line', () => {
  const faultsOfPiece = (piece: Piece): string[] => {
    const fault = faultOfCommand(piece.text)
    return fault === undefined ? [] : [at(piece, fault)]
  }
  const shown: Piece[] = blocks
    .filter(({ language }) => !['ts', 'sql'].includes(language))
    .flatMap(({ page, line, text }) =>
      text.split('\n').map((said, index) => ({ page, line: line + index, text: said })),
    )
  const shownCalls = [...shown, ...spans].flatMap(({ page, line, text }) => {
    const [, call] = /^(?:\$ )?((?:npx )?millrace [a-zA-Z-].*)$/.exec(text.trim()) ?? []
    return call === undefined ? [] : [{ page, line, text: call }]
  })

  test('each command that is shown is one, and knows its options', () => {
    expect(shownCalls.length).toBeGreaterThan(20)
    expect(shownCalls.flatMap(faultsOfPiece)).toEqual([])
    expect(faultOfCommand('npx millrace run fly')).toBe("'run' has no command 'fly'")
    expect(faultOfCommand('millrace run why ID --wings')).toBe("'why' has no option --wings")
  })

  test('each command line that is shown can be typed as it stands there', () => {
    const bare = shown.filter(({ text }) => /(?:^|[|&;] *|\$ )millrace [a-z-]/.test(text.trim()))
    expect(bare.map((piece) => at(piece, piece.text))).toEqual([])
  })

  test('each command that a message advises is one, and can be typed as it stands there', () => {
    const house = readHouse(process.cwd())
    const sources = [...house.keys()].filter(
      (path) => /^(src|sql)\/.*\.(ts|sql)$/.test(path) && !isTest(path),
    )
    const advised = sources.flatMap((page) =>
      textOf(house, page)
        .split('\n')
        .flatMap((text, index) =>
          [...text.matchAll(/npx (millrace [a-z][^'"`,;]*)/g)].map(([, call = '']) => ({
            page,
            line: index + 1,
            text: call.replaceAll(/\$\{[^}]*\}?|%/g, 'X').replace(/\.(\s.*)?$|[\s)]+$/, ''),
          })),
        ),
    )
    expect(advised.length).toBeGreaterThan(20)
    expect(advised.flatMap(faultsOfPiece)).toEqual([])
    const halves = sources.flatMap((page) =>
      textOf(house, page)
        .split('\n')
        .filter((text) => /(with|Run): `?millrace /.test(text))
        .map((text) => `${page}: ${text.trim()}`),
    )
    expect(halves, 'say npx before it').toEqual([])
  })

  test('each npm script that is shown is one', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      scripts: Record<string, string>
    }
    const named = [...shown, ...spans].flatMap((piece) =>
      [...piece.text.matchAll(/\bnpm (?:run ([\w:]+)|(start|test)\b)/g)].map(([, run, short]) => ({
        piece,
        name: run ?? short ?? '',
      })),
    )
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter(({ name }) => scripts[name] === undefined)).toEqual([])
  })

  test('docs/cli.md lists every command, with options that it takes, and every exit status', () => {
    const listed = cellsOf('docs/cli.md').flatMap((row) => {
      const paths = commandsOf(row.first)
      return paths.length === 0 ? [] : [{ ...row, paths }]
    })
    expect(listed.flatMap(({ paths }) => paths).toSorted()).toEqual(commands().toSorted())
    const faults = listed.flatMap(({ line, paths, first, second }) =>
      [...`${first} ${second}`.matchAll(/(--[a-z-]+)/g)]
        .map(([option]) => option)
        .filter((option) => !takesOption(paths, option))
        .map((option) => `docs/cli.md:${line}: none of ${paths.join(', ')} has ${option}`),
    )
    expect(faults).toEqual([])
    const statuses = [...textOfPage('docs/cli.md').matchAll(/^\| (\d) \|/gm)].map(([, status]) =>
      Number(status),
    )
    expect(statuses).toEqual(exitStatuses.map(([status]) => status))
  })
})

/** The commands that a cell names: `pipeline list`, and `show` behind it is one of pipeline. */
function commandsOf(cell: string): string[] {
  let group = ''
  return [...cell.matchAll(/`([a-z][^`]*)`/g)].flatMap(([, span = '']) => {
    const words = span.split(' ').filter((word) => /^[a-z-]+$/.test(word))
    const known = commands()
    const path = [words.slice(0, 2).join(' '), words[0] ?? '', `${group} ${words[0]}`].find((one) =>
      known.includes(one),
    )
    if (path === undefined) return []
    group = path.split(' ')[0] ?? ''
    return [path]
  })
}

interface Row {
  readonly line: number
  readonly first: string
  readonly second: string
}

/** The rows of the tables of a page that begin with code. */
function cellsOf(page: string): Row[] {
  return textOfPage(page)
    .split('\n')
    .flatMap((line, index) => {
      const [, first, second] = /^\| (`.*?) \| (.*) \|$/.exec(line) ?? []
      return first === undefined ? [] : [{ line: index + 1, first, second: second ?? '' }]
    })
}

/** The first column of a table as a record of all names of a type: one too many or too few does not compile. */
function everyNameOf(page: string, heading: string, type: string): Piece {
  const lines = textOfPage(page).split('\n')
  const begin = lines.findIndex((line) => line.startsWith(`| ${heading} |`))
  const rest = lines.slice(begin)
  const table = rest.slice(
    0,
    rest.findIndex((line) => !line.startsWith('|')),
  )
  const names = table.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name),
  )
  const text = `const listed: Record<${type}, true> = { ${names.map((name) => `${name}: true`).join(', ')} }`
  return { page, line: begin + 1, text }
}
