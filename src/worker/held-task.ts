// A task that this worker holds, from its claim to the answer to its outcome.
import type { Abort } from './abort.ts'
import type { RunMemory } from './run-memory.ts'
import type { ServedStep } from './served-steps.ts'

export interface HeldTask {
  readonly taskId: number
  readonly step: ServedStep
  readonly run: RunMemory
  readonly item: number
  readonly itemValue: unknown
  readonly attempt: number
  readonly priority: number
  readonly abort: Abort
  /** It is no longer ours: whatever its handler still does is not reported. */
  lost: boolean
  /** Its outcome is on its way to the database, which alone says what becomes of it. */
  reported: boolean
  /** Its handler has written log lines, which must be stored before its outcome is. */
  logged: boolean
  /** How often the database refused its outcome. */
  refusals: number
}

/** Why a handler's signal fired. */
export class AttemptAborted extends Error {
  override readonly name = 'AttemptAborted'
}
