// What a worker decrypts before a handler sees it, and encrypts before it leaves the process: only for pipelines that are encrypted.
import type { StepError } from '../core/errors.ts'
import { RunCipher } from '../core/run-cipher.ts'
import type { OutcomeRow } from '../db/outcomes.ts'
import type { HeldTask } from './held-task.ts'
import { sealedInput } from '../sdk/sealed-runs.ts'
import { readSecrets } from './read-secrets.ts'
import type { RunMemory } from './run-memory.ts'
import type { ServedStep } from './served-steps.ts'

/** What encrypts the values of a run; undefined where its pipeline is not encrypted. */
export function cipherOf({ sealing }: ServedStep, runId: string): RunCipher | undefined {
  return sealing === undefined ? undefined : new RunCipher(sealing.cipher, runId)
}

/** The input of the run as which a run goes on. */
export function nextInput({ step }: HeldTask, runId: string, text: string): string {
  const { sealing, slug } = step
  if (sealing === undefined) return readSecrets.redactJson(text)
  return sealedInput({ id: runId, slug, text, encrypt: sealing.encrypt, options: {} }, sealing.cipher)
}

/** Decrypts what a task brought. @throws MillraceError encryption_key_missing, decryption_failed */
export function openTask(task: HeldTask): void {
  const { run, step, item } = task
  const { cipher } = run
  if (cipher === undefined) return
  if (run.isInputSealed) {
    run.input = cipher.openInput(run.input)
    run.isInputSealed = false
  }
  const over = step.sealing?.over
  if (over !== undefined && item >= 0 && !task.isItemOpen) {
    task.itemValue = cipher.openOutput(over, task.itemValue, item)
    task.isItemOpen = true
  }
}

/** The output of a step, as it was read. */
export function openStepOutput(run: RunMemory, step: string, output: unknown): unknown {
  const { cipher } = run
  return cipher === undefined ? output : cipher.openOutput(step, output)
}

export function openOutcome({ cipher }: RunMemory, row: OutcomeRow | undefined): OutcomeRow | undefined {
  if (cipher === undefined || row === undefined || row.error === null) return row
  const { step = '', item = -1 } = row.error
  const error = cipher.openError(step, item, row.error)
  return { ...row, error: error as OutcomeRow['error'] }
}

/** JSON text as it is stored. */
export function sealedOutput({ run, step, item }: HeldTask, output: string): string {
  return run.cipher?.sealOutput(step.name, item, output, step.sealing?.isListed === true) ?? output
}

export function sealedError({ run, step, item }: HeldTask, error: StepError): string {
  return JSON.stringify(run.cipher === undefined ? error : run.cipher.sealError(step.name, item, error))
}
