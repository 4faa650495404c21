// Writes what was measured, row by row: results.json, and from it the page and its picture.
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Contender } from './contenders.ts'
import { type Checkout, type Kept, lostLines, type MeasuredWith, withRow } from './kept.ts'
import { pageOf } from './page.ts'
import { pictureOf } from './picture.ts'
import type { Result } from './result.ts'
import type { RowPlan } from './row.ts'
import { versionsOf } from './versions.ts'

const resultsFile = fileURLToPath(new URL('results.json', import.meta.url))
const pageFile = fileURLToPath(new URL('../RESULTS.md', import.meta.url))
const pictureFile = fileURLToPath(new URL('../results.svg', import.meta.url))

export interface Refresh {
  readonly row: RowPlan
  /** All rows there are, in the order of the page. */
  readonly rows: readonly RowPlan[]
  readonly machine: string
  readonly busyShare: number
  /** As it was when the measuring began: what runs was built from it. */
  readonly checkout: Checkout | undefined
  readonly contenders: readonly Contender[]
  /** Who was not asked to take part. */
  readonly others: readonly Contender[]
  readonly results: readonly Result[]
}

/** The page is written with each row, so that it agrees with what is kept when the next row fails. */
export function keepResults({
  row,
  rows,
  machine,
  busyShare,
  checkout,
  contenders,
  others,
  results,
}: Refresh): void {
  const peers = peersOf(contenders)
  const { name, label, unit, better, how } = row
  const kept = withRow(readKept(), {
    name,
    row: {
      ...{ label, unit, better, how, machine, busyShare },
      day: new Date().toISOString().slice(0, 10),
      measuredWith: measuredWith(checkout, peers, results),
      leftOut: leftOut(row, others),
      results,
    },
    peers,
    known: Object.fromEntries(rows.map(({ name: one, label: called }) => [one, called])),
  })
  fs.writeFileSync(resultsFile, `${JSON.stringify(kept, undefined, 2)}\n`)
  writeResults()
}

export function writeResults(): void {
  const kept = readKept()
  fs.writeFileSync(pictureFile, pictureOf(kept))
  fs.writeFileSync(pageFile, pageOf(kept))
}

/** A sentence where rows would lose lines that the page shows, since a row is kept whole. */
export function lossOf(rows: readonly RowPlan[], contenders: readonly Contender[]): string | undefined {
  const kept = readKept()
  const measured = contenders.map(({ peer, profile }) => ({ peer: peer.name, profile }))
  const losses = rows
    .map(({ name }) => ({ name, lost: lostLines(kept.rows[name], measured) }))
    .filter(({ lost }) => lost.length > 0)
  if (losses.length === 0) return undefined
  const names = losses.map(({ name }) => name).join(', ')
  const lost = [...new Set(losses.flatMap(({ lost: lines }) => lines))].join(', ')
  return `A row is kept whole, with all that took their turns together, and the page would lose ${lost} in ${names}: leave out --peer and --best, or --refresh.`
}

function peersOf(contenders: readonly Contender[]): Kept['peers'] {
  const versions = versionsOf(contenders)
  return Object.fromEntries(
    contenders.map(({ peer: { name, profiles, keeps } }) => [
      name,
      { version: versions[name] ?? '?', profiles, keeps },
    ]),
  )
}

/** Of those that have a value. */
function measuredWith(
  checkout: Checkout | undefined,
  peers: Kept['peers'],
  results: readonly Result[],
): MeasuredWith {
  const measured = Object.entries(peers).filter(([name]) =>
    results.some(({ peer, values }) => peer === name && values.length > 0),
  )
  return {
    ...(checkout === undefined ? {} : { checkout }),
    peers: Object.fromEntries(measured.map(([name, { version, profiles }]) => [name, { version, profiles }])),
  }
}

function leftOut({ name }: RowPlan, others: readonly Contender[]): string[] {
  const able = others.filter(({ peer, profile }) => profile === 'best' && peer.cannot[name] === undefined)
  return able.map(({ peer }) => peer.name)
}

function readKept(): Kept {
  if (!fs.existsSync(resultsFile)) return { peers: {}, known: {}, rows: {} }
  return JSON.parse(fs.readFileSync(resultsFile, 'utf8')) as Kept
}
