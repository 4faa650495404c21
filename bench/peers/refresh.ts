// Writes what was measured: results.json row by row, and from it the page and its picture.
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Contender } from './contenders.ts'
import type { Kept } from './kept.ts'
import { pageOf } from './page.ts'
import { pictureOf } from './picture.ts'
import type { Result } from './result.ts'
import type { RowPlan } from './row.ts'

const resultsFile = fileURLToPath(new URL('results.json', import.meta.url))
const pageFile = fileURLToPath(new URL('../RESULTS.md', import.meta.url))
const pictureFile = fileURLToPath(new URL('../results.svg', import.meta.url))

export interface Measured {
  readonly row: RowPlan
  /** All rows there are, in the order of the page. */
  readonly rows: readonly RowPlan[]
  readonly machine: string
  readonly contenders: readonly Contender[]
  readonly versions: Readonly<Record<string, string>>
  readonly results: readonly Result[]
}

/** A row is kept whole: values of another day would not have been taken by turns with these. */
export function keepResults({ row, rows, machine, contenders, versions, results }: Measured): void {
  const kept = readKept()
  const peers = contenders.map(
    ({ peer: { name, profiles, keeps } }) =>
      [name, { version: versions[name] ?? '?', profiles, keeps }] as const,
  )
  const { name, label, unit, better, how } = row
  const day = new Date().toISOString().slice(0, 10)
  const all = { ...kept.rows, [name]: { label, unit, better, how, machine, day, results } }
  write({
    peers: { ...kept.peers, ...Object.fromEntries(peers) },
    known: Object.fromEntries(rows.map(({ name: one, label: called }) => [one, called])),
    rows: Object.fromEntries(
      rows.flatMap(({ name: one }) => (all[one] === undefined ? [] : [[one, all[one]]])),
    ),
  })
}

export function writeResults(): void {
  const kept = readKept()
  fs.writeFileSync(pictureFile, pictureOf(kept))
  fs.writeFileSync(pageFile, pageOf(kept))
}

function readKept(): Kept {
  if (!fs.existsSync(resultsFile)) return { peers: {}, known: {}, rows: {} }
  return JSON.parse(fs.readFileSync(resultsFile, 'utf8')) as Kept
}

function write(kept: Kept): void {
  fs.writeFileSync(resultsFile, `${JSON.stringify(kept, undefined, 2)}\n`)
}
