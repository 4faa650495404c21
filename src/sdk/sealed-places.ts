// Owns where in a run's history something encrypted stands, so that it can be encrypted anew for the same place.
import { type Cipher, isEnvelope } from '../core/encryption.ts'
import { RunCipher } from '../core/run-cipher.ts'
import type { SealedRow } from '../db/sealed.ts'

interface Place {
  readonly step: string
  readonly item: number
}

export class SealedPlaces {
  readonly #cipher: Cipher
  /** Of each run, and of those that they called, the steps whose outputs are its own. */
  readonly #lastSteps: ReadonlyMap<string, readonly string[]>

  constructor(cipher: Cipher, lastSteps: ReadonlyMap<string, readonly string[]>) {
    this.#cipher = cipher
    this.#lastSteps = lastSteps
  }

  /** The same value, encrypted anew with the first key; as it is where nothing encrypted is known to stand. */
  reseal({ run_id, place, step, item, name, value }: SealedRow): unknown {
    const run = new RunCipher(this.#cipher, run_id)
    const at = { step: step ?? '', item: item ?? -1 }
    switch (place) {
      case 'run.input':
        return run.resealInput(value)
      case 'run.output':
        return run.sealRunOutput(this.#lastSteps.get(run_id) ?? [], value)
      case 'attempt.output':
        return run.resealOutput(at.step, at.item, value)
      case 'attempt.error':
        return run.resealError(at.step, at.item, value)
      case 'run.error':
      case 'run.outcome_error':
      case 'dead_letter.error':
      case 'firing.error':
        return run.resealError(...placeOfError(value), value)
      case 'checkpoint.value':
        return this.#result(run, at, name ?? '', value)
      case 'checkpoint.error':
        return run.resealKeptError(at.step, at.item, name ?? '', value)
      case 'stream_part.value':
        return run.reseal('stream', at.step, at.item, value)
      case 'event.detail':
        return this.#detail(run, at, value as Detail)
      default:
        return value
    }
  }

  #result(run: RunCipher, { step, item }: Place, name: string, value: unknown): unknown {
    return isEnvelope(value) ? run.resealCheckpoint(step, item, name, value) : this.#call(value)
  }

  /** The result of a call holds what its run gave, encrypted for that run. */
  #call(value: unknown): unknown {
    const runId = calledRun(value)
    if (runId === undefined) return value
    const child = new RunCipher(this.#cipher, runId)
    const { output, error, ...rest } = value as { output?: unknown; error?: unknown }
    return {
      ...rest,
      ...(output !== undefined && { output: child.sealRunOutput(this.#lastSteps.get(runId) ?? [], output) }),
      ...(error !== undefined && { error: child.resealError(...placeOfError(error), error) }),
    }
  }

  /** A log line has fields; that a run was redriven says how it had failed, and which stored failures were forgotten for it. */
  #detail(run: RunCipher, { step, item }: Place, detail: Detail): unknown {
    const { fields, error, forgotten } = detail
    return {
      ...detail,
      ...(fields !== undefined && { fields: run.reseal('log', step, item, fields) }),
      ...(error !== undefined && { error: run.resealError(...placeOfError(error), error) }),
      ...(forgotten !== undefined && { forgotten: forgotten.map((one) => this.#forgotten(run, one)) }),
    }
  }

  #forgotten(run: RunCipher, forgotten: Forgotten): Forgotten {
    const { step, item = -1, name, value, error } = forgotten
    return {
      ...forgotten,
      ...(value !== undefined && { value: this.#result(run, { step, item }, name, value) }),
      ...(error !== undefined && { error: run.resealKeptError(step, item, name, error) }),
    }
  }
}

/** What of the detail of an event may be encrypted. */
interface Detail {
  readonly fields?: unknown
  readonly error?: unknown
  readonly forgotten?: readonly Forgotten[]
}

/** A checkpoint that a redrive took out. */
interface Forgotten {
  readonly step: string
  readonly item?: number
  readonly name: string
  readonly value?: unknown
  readonly error?: unknown
}

/** The runs whose results stand in a value: in that of a call, or in those that were forgotten. */
export function calledRuns(value: unknown): string[] {
  const { forgotten = [] } = (typeof value === 'object' && value !== null ? value : {}) as Detail
  return [value, ...forgotten.map((one) => one.value)].flatMap((one) => calledRun(one) ?? [])
}

/** Whether something in a value is encrypted with another key than this one. */
export function hasOtherKey(value: unknown, key: string): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (isEnvelope(value) && value.$encrypted.key !== key) return true
  return Object.values(value).some((one) => hasOtherKey(one, key))
}

function placeOfError(error: unknown): [string, number] {
  const { step = '', item = -1 } = (error ?? {}) as { step?: string; item?: number }
  return [step, item]
}

function calledRun(value: unknown): string | undefined {
  const { run } = (typeof value === 'object' && value !== null ? value : {}) as { run?: unknown }
  return typeof run === 'string' ? run : undefined
}
