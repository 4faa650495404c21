// Owns what a page says in code: its fenced blocks and the spans in its lines, each with the line where it stands.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A piece of code in a page. */
export interface Piece {
  readonly page: string
  /** The line of its first line, from 1. */
  readonly line: number
  readonly text: string
}

export interface Block extends Piece {
  /** What follows the fence: ts, sql, or nothing. */
  readonly language: string
}

/** Pages that are written by a program, and lists of what other systems do: they show no use of ours. */
const notShown = ['docs/schema.md', 'docs/troubleshooting.md', 'docs/ledger.md', 'docs/faults.md']

/** The pages that a user reads. */
export function pagesOf(): string[] {
  const docs = readdirSync(`${root}docs`).map((name) => `docs/${name}`)
  const examples = readdirSync(`${root}examples`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `examples/${name}/README.md`)
  const atRoot = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'bench/README.md']
  return [...atRoot, ...docs, ...examples].filter((page) => page.endsWith('.md') && !notShown.includes(page))
}

export const textOfPage = (page: string): string => readFileSync(`${root}${page}`, 'utf8')

/** The fenced blocks of a page. */
export function blocksOf(page: string, text = textOfPage(page)): Block[] {
  const blocks: Block[] = []
  let open: { language: string; line: number; lines: string[] } | undefined
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^\s*```(\w*)/.exec(line)
    if (fence === null) open?.lines.push(line)
    else if (open === undefined) open = { language: fence[1] ?? '', line: index + 2, lines: [] }
    else {
      blocks.push({ page, language: open.language, line: open.line, text: open.lines.join('\n') })
      open = undefined
    }
  }
  return blocks
}

/** The spans of code in the lines of a page outside its blocks. In a table a bar stands behind a backslash. */
export function spansOf(page: string, text = textOfPage(page)): Piece[] {
  let inBlock = false
  return text.split('\n').flatMap((line, index) => {
    const isFence = /^\s*```/.test(line)
    if (isFence) inBlock = !inBlock
    if (isFence || inBlock) return []
    return [...line.matchAll(/`([^`]+)`/g)].map(([, span = '']) => ({
      page,
      line: index + 1,
      text: span.replaceAll('\\|', '|'),
    }))
  })
}
