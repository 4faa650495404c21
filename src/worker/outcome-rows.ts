// How an attempt's outcome is told to the database: its row, encrypted and redacted where its pipeline says so.
import type { CompletedRow, FailedRow, HeldRow } from '../db/tasks.ts'
import type { Outcome } from './attempt.ts'
import type { HeldTask } from './held-task.ts'
import { readSecrets } from './read-secrets.ts'
import { sealedError, sealedOutput } from './sealing.ts'

type Finished = Extract<Outcome, { kind: 'completed' | 'skipped' }>
type Failed = Extract<Outcome, { kind: 'failed' }>

export function heldRow({ taskId, step, attempt }: HeldTask): HeldRow {
  return { taskId, stepId: step.id, attempt }
}

export function failedRow(task: HeldTask, { error, retryDelayMs }: Failed, random: number): FailedRow {
  return {
    ...heldRow(task),
    error: sealedError(task, error),
    random,
    retryDelayMs: retryDelayMs ?? null,
  }
}

export function completedRow(task: HeldTask, outcome: Finished): CompletedRow {
  // Field by field: a spread costs more than all the rest.
  return {
    taskId: task.taskId,
    stepId: task.step.id,
    attempt: task.attempt,
    output: outcome.kind === 'completed' ? sealedOutput(task, outcome.output) : null,
    skipReason: outcome.kind === 'skipped' ? readSecrets.redact(outcome.reason) : null,
    writes: null,
    watched: false,
  }
}
