// The titles of our tests that begin with ids of the ledger, and those ids.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { prefixOf, whole_id } from './rows.ts'

export type Test = { title: string; file: string }

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

const titled_call =
  /(\b(?:test|it|describe)[\w.]*|\))\s*\(\s*(['"`])((?:[A-Z]{2}-[A-Z]?|[A-L])\d{1,2}\b(?:\\.|(?!\2)[^\\])*)\2\s*,/g

/** Calls of `test`, `it` and `describe`, also `test.each(…)(…)`, whose title begins with an id. Skipped ones prove nothing. */
export function testsOf(source: string, file: string): Test[] {
  return [...source.matchAll(titled_call)]
    .filter(([, callee = '']) => !/\.(skip|todo)$/.test(callee))
    .map(([, , , title = '']) => ({ title: title.replace(/\s+/g, ' '), file }))
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
