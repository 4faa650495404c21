// What a worker remembers of the runs it has in hand: their input, and the outputs of their steps, so that a chain reads nothing.
import { BusyMap } from '../core/busy-map.ts'
import type { RunCipher } from '../core/run-cipher.ts'
import { isLargerThan } from '../core/value-size.ts'
import type { OutcomeRow } from '../db/outcomes.ts'

/** An output as it was written, or as it was read; parsed when it is first used. */
export class RememberedOutput {
  #text: string | undefined
  #value: unknown

  constructor(source: { readonly text: string } | { readonly value: unknown }) {
    if ('text' in source) this.#text = source.text
    else this.#value = source.value
  }

  get value(): unknown {
    if (this.#text !== undefined) {
      this.#value = JSON.parse(this.#text)
      this.#text = undefined
    }
    return this.#value
  }

  /** Its text, or what it was parsed into, for whoever wants to know how large it is. */
  get kept(): unknown {
    return this.#text ?? this.#value
  }
}

export interface RunMemory {
  readonly id: string
  /** Encrypted until the first attempt begins, where the pipeline is. */
  input: unknown
  isInputSealed: boolean
  /** Undefined where nothing of it is encrypted. */
  readonly cipher: RunCipher | undefined
  /** Of an encrypted pipeline: the steps whose outputs are those of the run. */
  readonly lastSteps: readonly string[]
  readonly tenant: string | null
  readonly key: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly startedAt: Date
  /** By step; undefined stands for a skipped one. */
  readonly outputs: Map<string, RememberedOutput | undefined>
  /** What it will end as, once a step that follows that has asked. */
  outcome: OutcomeRow | undefined
  /** How many of its tasks this worker holds. */
  tasks: number
}

const endedRunsKept = 1_000
/** A run that takes more is remembered only while a task of it is in hand, so that all others together take some 64 MB at most. */
const bytesKept = 32_768

/** The runs in hand, and some that were: another task of a run may come back soon. */
export class RunMemories {
  readonly #runs = new BusyMap<string, RunMemory>()
  readonly #runsKept: number

  /** @param slots how many runs may be in hand at once */
  constructor(slots: number) {
    this.#runsKept = slots + endedRunsKept
  }

  get(runId: string): RunMemory | undefined {
    return this.#runs.get(runId)
  }

  remember(run: Omit<RunMemory, 'outputs' | 'outcome' | 'tasks'>): RunMemory {
    const known = this.#runs.get(run.id)
    if (known !== undefined) return known
    const { id, input, isInputSealed, cipher, lastSteps, tenant, key, headers, startedAt } = run
    const memory = {
      id,
      input,
      isInputSealed,
      cipher,
      lastSteps,
      tenant,
      key,
      headers,
      startedAt,
      outputs: new Map(),
      outcome: undefined,
      tasks: 0,
    }
    this.#runs.set(run.id, memory)
    if (this.#runs.size > this.#runsKept) this.#forgetOldest()
    return memory
  }

  forget(runId: string): void {
    this.#runs.delete(runId)
  }

  /** A task of this run is no longer in hand, and no other may be: what is large is not kept for one that may come back. */
  left(run: RunMemory): void {
    if (run.tasks === 0 && this.#runs.get(run.id) === run && isLarge(run)) this.#runs.delete(run.id)
  }

  #forgetOldest(): void {
    for (const [id, run] of this.#runs.entries()) {
      if (run.tasks > 0) continue
      this.#runs.delete(id)
      if (this.#runs.size <= this.#runsKept) return
    }
  }
}

function isLarge({ input, headers, outputs }: RunMemory): boolean {
  return isLargerThan([input, headers, ...[...outputs.values()].map((output) => output?.kept)], bytesKept)
}
