// What is kept of measurements in results.json: all that the page and the picture are written from.
import type { Heading } from './heading.ts'
import type { Peer } from './peer.ts'
import type { Result } from './result.ts'

/** Stands in the description of a machine that did other work as well. */
export const busyMark = 'from other work'

export interface Kept {
  readonly peers: Readonly<Record<string, KeptPeer>>
  /** Of all rows that there are, measured or not, in the order of the page: each name, and how the page calls it. */
  readonly known: Readonly<Record<string, string>>
  /** By their names, in that order. */
  readonly rows: Readonly<Record<string, KeptRow>>
}

interface KeptPeer {
  readonly version: string
  readonly profiles: Peer['profiles']
  readonly keeps: string
}

export interface KeptRow extends Heading {
  readonly machine: string
  /** The day on which it was measured. */
  readonly day: string
  readonly results: readonly Result[]
}
