// What comes of a peer's turns in a row: values, or why there are none.
import { noteOf } from './note.ts'
import type { Peer, RowName } from './peer.ts'
import type { Result } from './result.ts'
import { NoValue, type Turn } from './measured-turn.ts'

/** What ended the turns before they were over, or kept them from beginning. */
export interface Failure {
  readonly reason: string
  /** Tells of this machine, or of us, rather than of the peer: something broke, or is not installed. */
  readonly isMishap: boolean
}

/** What is known before a turn: that the peer can't do it, or can't do anything here. */
export function failureBefore(
  { cannot, notHere }: Pick<Peer, 'cannot' | 'notHere'>,
  row: RowName,
): Failure | undefined {
  const reason = cannot[row]
  if (reason !== undefined) return { reason, isMishap: false }
  return notHere === undefined ? undefined : { reason: notHere, isMishap: true }
}

export function failureOf(error: unknown): Failure {
  if (error instanceof NoValue) return { reason: error.message, isMishap: false }
  const text = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
  return { reason: `it failed: ${text}`, isMishap: true }
}

/** Turns that had a value keep it when a later one has none: what it is worth then is said beside it. What broke has none. */
export function outcomeOf(
  turns: readonly Turn[],
  failure: Failure | undefined,
  ofSamples: ((samples: readonly number[]) => string) | undefined,
): Pick<Result, 'values' | 'note' | 'cannot' | 'isMishap'> {
  if (failure !== undefined && (failure.isMishap || turns.length === 0))
    return { values: [], cannot: failure.reason, ...(failure.isMishap ? { isMishap: true } : {}) }
  const ended = failure === undefined ? undefined : `none in turn ${turns.length + 1}: ${failure.reason}`
  const note = noteOf(turns, ofSamples, ended)
  return { values: turns.map(({ value }) => value), ...(note === undefined ? {} : { note }) }
}
