// Owns which ends of a worker's process nobody brought about: what it ended with is compared with what it was told.

/** What it was told to do; undefined of one that was told nothing. */
export type Told = 'kill' | 'stop' | 'eat' | undefined

export interface WorkerEnd {
  readonly told: Told
  /** Before it says so, nobody hears a signal in it. */
  readonly wasReady: boolean
  /** Whether it was killed at last, because it did not stop. */
  readonly wasForced: boolean
  /** Its exit code, or the signal that ended it. */
  readonly by: NodeJS.Signals | number | null
  /** On its standard error, at last. */
  readonly said: string
}

/** Sentences; none of an end that is in order. */
export function oddEnd({ told, wasReady, wasForced, by, said }: WorkerEnd): string[] {
  // What V8 says as its memory ends is long.
  if (told === 'eat') return []
  const withSaid = said === '' ? '.' : `: ${said}`
  if (told === undefined) return [`ended with ${by} by itself${withSaid}`]
  if (wasForced) return [`did not stop when it was told to, and was killed${withSaid}`]
  if (told === 'stop' && wasReady && by !== 0) return [`stopped with ${by}, and not with 0${withSaid}`]
  return said === '' ? [] : [`said on its standard error: ${said}`]
}
