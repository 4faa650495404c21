// Owns the error of an idempotency key that was used with another input: it says where the two differ.
import { differences, differenceWords } from '../core/difference.ts'
import { isEnvelope } from '../core/encryption.ts'
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import { readRunInput } from '../db/sealed.ts'
import type { SealedRuns } from './sealed-runs.ts'

export interface ConflictingStart {
  readonly slug: string
  readonly idempotencyKey: string | null
  /** As JSON text, in the clear. */
  readonly clearInput: string
}

/** Of an encrypted input the paths are told, and no values. */
export async function conflictError(
  caller: Caller,
  sealed: SealedRuns,
  start: ConflictingStart,
  runId: string | null,
): Promise<MillraceError> {
  const differ = await differOf(caller, sealed, start, runId)
  const where = differ === undefined ? '' : `; they differ at ${differ.words}`
  return new MillraceError(
    'idempotency_conflict',
    `Idempotency key '${start.idempotencyKey}' of pipeline '${start.slug}' was used with another input, by run ${runId}${where}.`,
    {
      fields: { idempotencyKey: start.idempotencyKey, runId, differences: differ?.paths ?? [] },
      hint: 'Use another key, or send the same input again.',
    },
  )
}

/** Undefined where it can't be told: the run is gone, or there is no key to read its input. */
async function differOf(
  caller: Caller,
  sealed: SealedRuns,
  { clearInput }: ConflictingStart,
  runId: string | null,
) {
  if (runId === null) return undefined
  try {
    const run = await readRunInput(caller, runId)
    if (run === undefined) return undefined
    const found = differences(await sealed.input(runId, run.input), JSON.parse(clearInput))
    if (found.length === 0) return undefined
    return { paths: found.map(({ path }) => path), words: differenceWords(found, !isEnvelope(run.input)) }
  } catch {
    // What can't be read makes the conflict no other.
    return undefined
  }
}
