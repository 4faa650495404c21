// Owns the TypeScript of the pages as the compiler sees it: each piece in a function of its own, all of them in one program.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Piece } from './blocks.ts'
import { contextOf, type Declaration, imports } from './contexts.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const compiler = path.join(root, 'node_modules/typescript/bin/tsc')

/** What the compiler says against the pieces, each by the page and line where it stands. */
export function faultsOf(pieces: readonly Piece[]): string[] {
  // In node_modules the pieces find their packages, and no other tool finds the pieces.
  const folder = fs.mkdtempSync(path.join(root, 'node_modules', '.millrace-pages-'))
  try {
    const modules = pieces.map((piece, index) => ({ piece, name: `piece-${index}.ts`, ...moduleOf(piece) }))
    for (const { name, text } of modules) fs.writeFileSync(path.join(folder, name), text)
    fs.writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(settings))
    return compile(folder).flatMap((said) => {
      const [, name, line, message] =
        /^(?:.*[\\/])?(piece-\d+\.ts)\((\d+),\d+\): error (.*)$/s.exec(said) ?? []
      const found = modules.find((one) => one.name === name)
      // What is wrong in the package itself, its own check tells.
      if (found === undefined) return said.startsWith('error ') ? [said] : []
      const { page, line: first } = found.piece
      return [`${page}:${Math.max(first, first + Number(line) - 1 - found.linesBefore)}: ${message}`]
    })
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

const settings = {
  extends: '../../tsconfig.test.json',
  compilerOptions: {
    rootDir: '../..',
    lib: ['es2023', 'esnext.disposable'],
    verbatimModuleSyntax: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
    noImplicitReturns: false,
    paths: {
      millrace: ['../../src/sdk/index.ts'],
      'millrace/worker': ['../../src/worker/index.ts'],
      'millrace/server': ['../../src/server/index.ts'],
      'millrace/testing': ['../../src/testing/index.ts'],
      'millrace/client': ['../../src/client/index.ts'],
    },
  },
  include: ['*.ts'],
}

/** Each fault with the lines that explain it. */
function compile(folder: string): string[] {
  try {
    execFileSync(process.execPath, [compiler, '-p', folder, '--pretty', 'false'], { encoding: 'utf8' })
    return []
  } catch (error) {
    const printed = String(Reflect.get(Object(error), 'stdout'))
    return printed.trimEnd().split(/\n(?! )/)
  }
}

/** The piece as a module: what it takes for granted, then the piece itself. */
function moduleOf(piece: Piece): { text: string; linesBefore: number } {
  const lines = piece.text.split('\n')
  const ownImports = lines.filter((line) => /^import .* from '/.test(line)).join('\n')
  const rest = lines.map((line) => (/^import .* from '/.test(line) ? '' : line)).join('\n')
  const context = reached(contextOf(piece), rest.startsWith('.') ? `before${rest}` : rest)
  const said = [rest, ...context].join('\n')
  const names = imports.filter(({ name }) => uses(said, name) && !uses(ownImports, name))
  const head = [
    ...names.map(({ said: name, from }) => `import { ${name} } from '${from}'`),
    ownImports,
    // A context is apart, so that the piece may declare the same name.
    ...context,
    ...opening(rest),
  ].join('\n')
  return { text: `${head}\n${rest}\n${closing(rest)}\n`, linesBefore: head.split('\n').length }
}

/** The declarations that a text uses, and those that they use. */
function reached(declarations: readonly Declaration[], text: string): string[] {
  const used = declarations.filter(({ name }) => uses(text, name))
  if (used.length === 0) return []
  const others = declarations.filter((one) => !used.includes(one))
  const texts = used.map((one) => one.text)
  return [...reached(others, texts.join('\n')), ...texts]
}

/** A piece that begins with a dot goes on with a pipeline; one that exports stands by itself; all others are the body of a function. */
function opening(text: string): string[] {
  if (/^export default/m.test(text)) return ['export {}']
  if (text.startsWith('.')) return ['export const piece = before']
  return ['export async function piece() {']
}

function closing(text: string): string {
  return text.startsWith('.') || /^export default/m.test(text) ? '' : '}'
}

function uses(text: string, name: string): boolean {
  return new RegExp(`(?<![\\w.$'])${name}(?![\\w'])`).test(text)
}
