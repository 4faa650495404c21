// What came of one peer in one row, as it is kept in results.json.
import type { Profile, RowName } from './peer.ts'

export interface Result {
  readonly row: RowName
  readonly peer: string
  readonly profile: Profile
  /** One value a turn; empty where there are none. */
  readonly values: readonly number[]
  /** Of its last turn: what the value leaves open. */
  readonly note?: string
  /** Why there is no value. */
  readonly cannot?: string
  /** That it tells of the machine that measured, or of us, rather than of the peer. */
  readonly isMishap?: boolean
  readonly costs?: Costs
}

/** For each task or run, over all turns that count; null where they were not counted, or the store is not Postgres. */
export interface Costs {
  readonly clientCpuMs: number
  readonly serverCpuMs: number
  readonly statements: number | null
  readonly commits: number | null
  /** Of the write-ahead log. */
  readonly logBytes: number | null
  /** The most that one process of the peer's held. */
  readonly peakBytes: number
}
