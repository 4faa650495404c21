// Owns which field each value of a run is encrypted for: its input, the outputs of its steps and items, checkpoints, errors, log fields, parts.
import { type Beside, type Cipher, type Envelope, isEnvelope, keyMissing } from './encryption.ts'
import type { StepError } from './errors.ts'

/** What stands where an error's message is encrypted. */
const hidden = '[encrypted]'

const inputField = 'input'

export type FieldKind = 'log' | 'stream'

export class RunCipher {
  readonly #cipher: Cipher
  readonly #runId: string

  constructor(cipher: Cipher, runId: string) {
    this.#cipher = cipher
    this.#runId = runId
  }

  sealInput(text: string, beside?: Beside): string {
    return text === 'null' ? text : this.#cipher.seal(this.#runId, inputField, text, beside)
  }

  openInput(value: unknown): unknown {
    return this.#open(inputField, value)
  }

  /** Of a step that a map goes over each item is encrypted by itself, as SQL gives each to a task of its own. */
  sealOutput(step: string, item: number, text: string, isListed: boolean): string {
    if (text === 'null') return text
    if (isListed && item < 0 && text.startsWith('[')) {
      const items = JSON.parse(text) as unknown[]
      const sealed = items.map((value, index) =>
        this.#sealOne(outputField(step, index), JSON.stringify(value)),
      )
      return `[${sealed.join(',')}]`
    }
    return this.#sealOne(outputField(step, item), text)
  }

  /** The output of a step, or of an item; of a map, or of a step that one goes over, it may be a list of them. */
  openOutput(step: string, value: unknown, item = -1): unknown {
    if (item < 0 && Array.isArray(value))
      return value.map((one, index) => this.#open(outputField(step, index), one))
    return this.#open(outputField(step, item), value)
  }

  /** The output of a run: that of its last step, or an object of several by name. */
  openRunOutput(lastSteps: readonly string[], value: unknown): unknown {
    const [only, ...others] = lastSteps
    if (only !== undefined && others.length === 0) return this.openOutput(only, value)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).map(([step, one]) => [step, this.openOutput(step, one)]))
  }

  sealRunOutput(lastSteps: readonly string[], value: unknown): unknown {
    const [only, ...others] = lastSteps
    if (only !== undefined && others.length === 0) return this.resealOutput(only, -1, value)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([step, one]) => [step, this.resealOutput(step, -1, one)]),
    )
  }

  /** The same output, encrypted anew with the first key. */
  resealOutput(step: string, item: number, value: unknown): unknown {
    if (item < 0 && Array.isArray(value))
      return value.map((one, index) => this.#reseal(outputField(step, index), one))
    return this.#reseal(outputField(step, item), value)
  }

  resealInput(value: unknown): unknown {
    if (!isEnvelope(value)) return value
    const { clear, digests } = value.$encrypted
    const beside = { ...(clear !== undefined && { clear }), ...(digests !== undefined && { digests }) }
    const text = this.#cipher.open(this.#runId, inputField, value)
    return JSON.parse(this.#cipher.seal(this.#runId, inputField, text, beside))
  }

  sealCheckpoint(step: string, item: number, name: string, text: string): string {
    return text === 'null' ? text : this.#sealOne(checkpointField(step, item, name), text)
  }

  openCheckpoint(step: string, item: number, name: string, value: unknown): unknown {
    return this.#open(checkpointField(step, item, name), value)
  }

  resealCheckpoint(step: string, item: number, name: string, value: unknown): unknown {
    return this.#reseal(checkpointField(step, item, name), value)
  }

  /** An error that a handler got over: no result can be made of it. */
  sealKeptError(step: string, item: number, name: string, text: string): string {
    return this.#sealOne(keptErrorField(step, item, name), text)
  }

  openKeptError(step: string, item: number, name: string, error: unknown): unknown {
    return this.#open(keptErrorField(step, item, name), error)
  }

  resealKeptError(step: string, item: number, name: string, error: unknown): unknown {
    return this.#reseal(keptErrorField(step, item, name), error)
  }

  /** Code, classes, and whether and when to try again stay in the clear: SQL decides by them. */
  sealError(step: string, item: number, { message, stack, ...clear }: StepError): object {
    const text = JSON.stringify({ message, ...(stack !== undefined && { stack }) })
    const envelope: unknown = JSON.parse(this.#sealOne(errorField(step, item), text))
    return { ...clear, message: hidden, ...(envelope as Envelope) }
  }

  /** An error with its message; as it is where it was never encrypted. */
  openError(step: string, item: number, error: unknown): unknown {
    if (!isEnvelope(error)) return error
    const { $encrypted, ...rest } = error
    const opened = this.#cipher.open(this.#runId, errorField(step, item), { $encrypted })
    return { ...rest, ...(JSON.parse(opened) as object) }
  }

  resealError(step: string, item: number, error: unknown): unknown {
    if (!isEnvelope(error)) return error
    const { $encrypted, ...rest } = error
    return { ...rest, ...(this.#reseal(errorField(step, item), { $encrypted }) as Envelope) }
  }

  /** What a step says while it runs. */
  seal(kind: FieldKind, step: string, item: number, text: string): string {
    return this.#sealOne(`${kind}/${step}/${item}`, text)
  }

  open(kind: FieldKind, step: string, item: number, value: unknown): unknown {
    return this.#open(`${kind}/${step}/${item}`, value)
  }

  reseal(kind: FieldKind, step: string, item: number, value: unknown): unknown {
    return this.#reseal(`${kind}/${step}/${item}`, value)
  }

  #sealOne(field: string, text: string): string {
    return text === 'null' ? text : this.#cipher.seal(this.#runId, field, text)
  }

  #open(field: string, value: unknown): unknown {
    return isEnvelope(value) ? JSON.parse(this.#cipher.open(this.#runId, field, value)) : value
  }

  #reseal(field: string, value: unknown): unknown {
    if (!isEnvelope(value)) return value
    return JSON.parse(this.#cipher.seal(this.#runId, field, this.#cipher.open(this.#runId, field, value)))
  }
}

/** The error for whoever has no key at all, where something encrypted is to be read. */
export function noKeyFor(value: unknown, field: string): Error | undefined {
  const found = findEnvelope(value)
  return found === undefined ? undefined : keyMissing(found.$encrypted.key, field)
}

/** The first envelope in an output or an error, which may be a list or an object of them. */
function findEnvelope(value: unknown): Envelope | undefined {
  if (isEnvelope(value)) return value
  if (typeof value !== 'object' || value === null) return undefined
  for (const one of Object.values(value) as unknown[]) {
    if (isEnvelope(one)) return one
    // Of several last steps, one that is a map gives a list.
    const inList: unknown = Array.isArray(one) ? one.find(isEnvelope) : undefined
    if (isEnvelope(inList)) return inList
  }
  return undefined
}

/** What is shown of a value to whoever has no key: where it is encrypted, that it is. */
export function shown(value: unknown): unknown {
  if (isEnvelope(value)) return `encrypted with key '${value.$encrypted.key}'`
  if (Array.isArray(value)) return value.some(isEnvelope) ? value.map(shown) : value
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  return entries.some(([, one]) => isEnvelope(one) || (Array.isArray(one) && one.some(isEnvelope)))
    ? Object.fromEntries(entries.map(([name, one]) => [name, shown(one)]))
    : value
}

function outputField(step: string, item: number): string {
  return `output/${step}/${item}`
}

function checkpointField(step: string, item: number, name: string): string {
  return `checkpoint/${step}/${item}/${name}`
}

function keptErrorField(step: string, item: number, name: string): string {
  return `kept-error/${step}/${item}/${name}`
}

function errorField(step: string, item: number): string {
  return `error/${step}/${item}`
}
