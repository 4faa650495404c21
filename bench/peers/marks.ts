// What keeps a row from being counted among those in which somebody is first; its heading says it.
import { floor, type Kept, type KeptRow } from './kept.ts'
import { busyMark, busyShareMax } from './machine.ts'

/** Clauses for the heading; nothing where the row counts. */
export function marksOf(kept: Kept, row: KeptRow): string[] {
  const without = missingRivals(kept, row)
  return [
    ...(turnsOf(row) === 1 ? ['one turn'] : []),
    ...(isBusy(row) ? ['busy machine'] : []),
    ...(without.length === 0 ? [] : [`without ${without.join(', ')}`]),
  ]
}

export function turnsOf({ results }: KeptRow): number {
  return Math.max(0, ...results.map(({ values }) => values.length))
}

/** Who could have taken part, and has no result. */
export function absentOf(kept: Kept, { leftOut, results }: KeptRow): readonly string[] {
  return leftOut ?? Object.keys(kept.peers).filter((name) => !results.some(({ peer }) => peer === name))
}

function missingRivals(kept: Kept, row: KeptRow): string[] {
  const mishapped = row.results
    .filter(({ profile, isMishap }) => profile === 'best' && isMishap === true)
    .map(({ peer }) => peer)
  return [...absentOf(kept, row), ...mishapped].filter((name) => name !== floor)
}

function isBusy({ machine, busyShare = 0 }: KeptRow): boolean {
  return machine.includes(busyMark) || busyShare > busyShareMax
}
