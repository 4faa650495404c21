// The titles of our tests that begin with ids of the ledger, and those ids.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CallExpression, parseSync } from 'oxc-parser'
import { prefixOf, whole_id } from './rows.ts'

/** Somewhere: it is left out on a machine that lacks what it needs. */
export type Test = { title: string; file: string; somewhere: boolean }

export function testsBelow(root: string, folder: string): Test[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : testsBelow(root, path)
    return /\.test(-d)?\.(ts|tsx|mjs)$/.test(entry.name)
      ? testsOf(readFileSync(join(root, path), 'utf8'), path)
      : []
  })
}

const title_with_id = /^(?:[A-Z]{2}-[A-Z]?|[A-L])\d{1,2}\b/
const proves_nothing = new Set(['skip', 'todo', 'fails'])
const leaves_out = new Set(['skipIf', 'runIf'])

/**
 * Calls of `test`, `it` and `describe`, also `test.each(…)(…)`, whose title begins with an id. What is skipped or expected to fail
 * proves nothing, nor does a group without a test in it.
 */
export function testsOf(source: string, file: string): Test[] {
  const found: Test[] = []
  gather(parseSync(file, source).program, { source, file, somewhere: false, found })
  return found
}

type Place = { source: string; file: string; somewhere: boolean; found: Test[] }

/** Gathers what is below; answers whether a test is among it, with or without an id. */
function gather(node: unknown, place: Place): boolean {
  if (Array.isArray(node)) return node.map((each) => gather(each, place)).includes(true)
  if (!isNode(node)) return false
  const names = node.type === 'CallExpression' ? namesOf(node.callee) : []
  if (!['test', 'it', 'describe'].includes(names[0] ?? '')) return gather(Object.values(node), place)
  if (names.some((name) => proves_nothing.has(name))) return false
  const [title, ...rest] = (node as CallExpression).arguments
  const somewhere = place.somewhere || names.some((name) => leaves_out.has(name))
  const at = place.found.length
  if (!gather(rest, { ...place, somewhere }) && names[0] === 'describe') return false
  const text = textOf(title, place.source)
  if (title_with_id.test(text))
    place.found.splice(at, 0, { title: text.replace(/\s+/g, ' '), file: place.file, somewhere })
  return true
}

type Node = { type: string } & Record<string, unknown>

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'
}

/** `test.skipIf(…).each(…)` as its names: test, skipIf, each. */
function namesOf(callee: unknown): string[] {
  if (!isNode(callee)) return []
  if (callee.type === 'Identifier') return [callee.name as string]
  if (callee.type === 'MemberExpression') return [...namesOf(callee.object), ...namesOf(callee.property)]
  if (callee.type === 'CallExpression') return namesOf(callee.callee)
  if (callee.type === 'TaggedTemplateExpression') return namesOf(callee.tag)
  return []
}

/** A text as it is written, without its quotes; empty where it is none. */
function textOf(node: unknown, source: string): string {
  if (!isNode(node)) return ''
  const isText =
    node.type === 'TemplateLiteral' || (node.type === 'Literal' && typeof node.value === 'string')
  return isText ? source.slice((node.start as number) + 1, (node.end as number) - 1) : ''
}

/**
 * The ids at the head of a title: `PP-C1 PP-C5 …`, `PP-C1, C5 …`, `JQ-3, 5 …`, `PP-C7 A3 …`. What follows a prefixed id is
 * first read with that prefix, then as it stands: so a fault whose letter and number also exist there must come first.
 */
export function idsOf(title: string, known: ReadonlySet<string>): string[] {
  const ids: string[] = []
  let rest = title
  let bare_number = false
  for (;;) {
    const word = rest.match(/^(?:[A-Z]{2}-)?[A-Z]?\d{1,2}(?!\w|,\d{3})/)?.[0]
    if (word === undefined || (/^\d/.test(word) && !bare_number)) return ids
    const id = idFrom(word, ids, known)
    if (id === undefined) return ids
    ids.push(id)
    const gap = rest.slice(word.length).match(/^(?:,\s*(?:and\s+)?|\s+and\s+|\s+)/)?.[0]
    if (gap === undefined) return ids
    // A number counts as an id after a comma only: `JQ-3 5 tasks …` is about five tasks.
    bare_number = gap.startsWith(',')
    rest = rest.slice(word.length + gap.length)
  }
}

function idFrom(word: string, ids: string[], known: ReadonlySet<string>): string | undefined {
  const prefixed = prefixOf(ids[0]) + word
  if (ids.length > 0 && known.has(prefixed) && !ids.includes(prefixed)) return prefixed
  return whole_id.test(word) ? word : undefined
}
