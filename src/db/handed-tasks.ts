// Tasks that come to a worker without a claim, each as one value: with what a claim answers, and what is stored for their steps.
import type { StoredCheckpointRow } from './checkpoints.ts'
import type { ClaimedTask } from './tasks.ts'

export interface HandedTask extends ClaimedTask {
  /** Null where it begins: nothing is stored then. */
  readonly checkpoints: readonly StoredCheckpointRow[] | null
}

/** As tell_claimed gives it: times are texts in it. */
export type HandedValue = Omit<HandedTask, 'run_created_at'> & { readonly run_created_at: string }

export function handedTask(value: HandedValue): HandedTask {
  return { ...value, run_created_at: new Date(value.run_created_at) }
}
