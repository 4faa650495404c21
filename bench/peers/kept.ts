// What is kept of measurements in results.json: all that the page and the picture are written from.
import type { Heading } from './heading.ts'
import type { Peer, RowName } from './peer.ts'
import type { Result } from './result.ts'

/** As results name them: whom the page is about, and what no peer can be faster than. */
export const us = 'Millrace'
export const floor = 'Floor'

export interface Kept {
  /** As each was when it was last measured in any row. */
  readonly peers: Readonly<Record<string, KeptPeer>>
  /** Of all rows that there are, measured or not, in the order of the page: each name, and how the page calls it. */
  readonly known: Readonly<Record<string, string>>
  /** By their names, in that order. */
  readonly rows: Readonly<Record<string, KeptRow>>
}

export interface KeptPeer {
  readonly version: string
  readonly profiles: Peer['profiles']
  readonly keeps: string
}

export interface KeptRow extends Heading {
  readonly machine: string
  /** The share of it that was at work before the row; of rows from before this was kept, `machine` says it. */
  readonly busyShare?: number
  /** The day on which it was measured. */
  readonly day: string
  /** Unknown of rows from before this was kept. */
  readonly measuredWith?: MeasuredWith
  /** Who could have taken part and was not asked to; of rows from before this was kept, whoever is missing. */
  readonly leftOut?: readonly string[]
  readonly results: readonly Result[]
}

/** Rows are measured again one at a time, so each of them says with what. */
export interface MeasuredWith {
  /** Of Millrace and of the bench itself; unknown where there is no repository, or another build was measured. */
  readonly checkout?: Checkout
  readonly peers: Readonly<Record<string, Pick<KeptPeer, 'version' | 'profiles'>>>
}

export interface Checkout {
  readonly commit: string
  /** Whether files differed from it. */
  readonly hasChanges: boolean
}

export interface Measured {
  readonly name: RowName
  readonly row: KeptRow
  readonly peers: Kept['peers']
  readonly known: Kept['known']
}

/** A row is kept whole: values of another day would not have been taken by turns with these. */
export function withRow(kept: Kept, { name, row, peers, known }: Measured): Kept {
  const all = { ...kept.rows, [name]: row }
  return {
    peers: { ...kept.peers, ...peers },
    known,
    rows: Object.fromEntries(
      Object.keys(known).flatMap((one) => (all[one] === undefined ? [] : [[one, all[one]]])),
    ),
  }
}

/** A line of a row's table. */
type Line = Pick<Result, 'peer' | 'profile'>

/** Whose values the page would lose if the row were kept again with these alone. */
export function lostLines(row: KeptRow | undefined, measured: readonly Line[]): string[] {
  const shown = row?.results.filter(({ values }) => values.length > 0).map(lineName) ?? []
  const again = new Set(measured.map(lineName))
  return shown.filter((line) => !again.has(line))
}

function lineName({ peer, profile }: Line): string {
  return profile === 'best' ? peer : `${peer} (${profile})`
}
