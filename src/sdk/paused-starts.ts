// Owns what a start that was refused as paused is told: why, and what lets it go on.
import type { Caller } from '../db/call.ts'
import { type PausedStart, tellPauses } from '../db/failure-streaks.ts'

/** A sentence for each start, in their order. It never fails: the refusal stands, whatever becomes of the words. */
export async function pauseWords(caller: Caller, starts: readonly PausedStart[]): Promise<string[]> {
  const told = await tellPauses(caller, starts).catch(() => [])
  return starts.map(
    ({ slug }, place) =>
      told[place] ?? `The pipeline '${slug}' was paused when this start came, and goes on again.`,
  )
}
