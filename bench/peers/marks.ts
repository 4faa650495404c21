// What keeps a row from being counted among those in which somebody is first; its heading says it.
import { floor, type Kept, type KeptRow } from './kept.ts'
import { busyMark, busyShareMax } from './machine.ts'
import type { Result } from './result.ts'

/** Reasons for no value that tell of this machine rather than of the peer: something broke, or was not installed. */
const mishaps = ['it failed', 'its schema is not on npm', 'redis-server is not installed']

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
  const mishapped = row.results.filter(hadMishap).map(({ peer }) => peer)
  return [...absentOf(kept, row), ...mishapped].filter((name) => name !== floor)
}

function hadMishap({ profile, values, cannot = '' }: Result): boolean {
  return profile === 'best' && values.length === 0 && mishaps.some((mishap) => cannot.startsWith(mishap))
}

function isBusy({ machine, busyShare = 0 }: KeptRow): boolean {
  return machine.includes(busyMark) || busyShare > busyShareMax
}
