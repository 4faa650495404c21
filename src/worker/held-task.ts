// A task that this worker holds, from its claim to the answer to its outcome.
import type { Durable } from '../sdk/durable.ts'
import type { Reporting } from '../sdk/reporting.ts'
import type { Abort } from './abort.ts'
import type { Batch } from './batch.ts'
import type { StoredResult } from './replay.ts'
import type { RunMemory } from './run-memory.ts'
import type { ServedStep } from './served-steps.ts'

export interface HeldTask {
  readonly taskId: number
  readonly step: ServedStep
  readonly run: RunMemory
  readonly item: number
  /** Encrypted until the attempt begins, where the pipeline is. */
  itemValue: unknown
  isItemOpen?: boolean
  /** Of a task that undoes an item of a map: what that gave. */
  undone?: unknown
  readonly attempt: number
  readonly priority: number
  /** With which others it was claimed, where its step takes several at once. */
  readonly batch?: Batch | undefined
  readonly abort: Abort
  /** It is no longer ours: whatever its handler still does is not reported. */
  lost: boolean
  /** Its outcome is on its way to the database, which alone says what becomes of it. */
  reported: boolean
  /** What it gave, once that is on its way: null where it was skipped. */
  output: string | null | undefined
  /** Its handler has written log lines, which must be stored before its outcome is. */
  logged: boolean
  /** What its handler says while it runs, made when it first does: most never do. It must be stored before the outcome is. */
  reports: AttemptReports | undefined
  /** How often the database refused its outcome. */
  refusals: number
  /** What was stored for the step when it came, where that came along: as it is stored, so encrypted where the pipeline is. */
  readonly checkpoints?: readonly StoredResult[] | undefined
  /** The durable operations of this attempt, made when its handler first asks for them: most never do. */
  durable: AttemptDurable | undefined
  /** Why a query of its handler failed, where one did. */
  failedQuery?: string
  /** Ends the attempt while its handler is still at work; undefined where nothing is awaited. */
  interrupt: ((reason: Error) => void) | undefined
}

export interface AttemptReports extends Reporting {
  /** When all that was said is stored; answers with what was refused of it. */
  stored(): Promise<Error | undefined>
}

export interface AttemptDurable extends Durable {
  /** What made the attempt void, once something did. */
  readonly fault: Error | undefined
  /** The handler has returned. @throws MillraceError replay_mismatch, or what made the attempt void */
  end(): void | Promise<void>
  /** The handler has thrown. Errors that it had got over, and has failed from now, are to come from their functions again. */
  failed(error: unknown): void | Promise<void>
}

/** Goes on only where the attempt was not told to stop. */
export function throwIfAborted({ abort }: Pick<HeldTask, 'abort'>): void {
  if (abort.aborted) throw abort.reason ?? new AttemptAborted('the attempt was told to stop')
}

/** Why a handler's signal fired. */
export class AttemptAborted extends Error {
  override readonly name = 'AttemptAborted'
}
