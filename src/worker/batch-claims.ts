// The claim loop of batches: asks for them while slots are free, and comes again when the next one is due. A worker without such steps never does.
import { type BatchRow, claimBatches } from '../db/batches.ts'
import type { Caller } from '../db/call.ts'
import type { ClaimedTask, WorkerKey } from '../db/tasks.ts'
import type { Slots } from './slots.ts'

export interface BatchClaimParts {
  readonly caller: Caller
  readonly key: WorkerKey
  readonly slots: Slots
  /** Of the steps whose tasks come in batches. */
  readonly handlers: readonly number[]
  readonly begin: (batches: ReadonlyArray<readonly ClaimedTask[]>) => void
  /** Whether it takes work at present: not paused, not draining. */
  readonly takes: () => boolean
  /** Nobody knows what a call has brought that had so many slots set aside. */
  readonly lost: (error: unknown, reserved: number) => void
  /** A look is over, and slots that were set aside for it may be free. */
  readonly looked: () => void
}

export class BatchClaims {
  readonly #parts: BatchClaimParts
  #handlers: readonly number[]
  #busy = false
  #hungry = true
  #stopped = false
  #timer: NodeJS.Timeout | undefined

  constructor(parts: BatchClaimParts) {
    this.#parts = parts
    this.#handlers = parts.handlers
  }

  /** Whether a look is on its way. */
  get busy(): boolean {
    return this.#busy
  }

  /** Something may be there: look for it. */
  wake(): void {
    this.#hungry = true
    this.look()
  }

  /** A slot is free: take more if there may be any. */
  look(): void {
    if (this.#stopped || this.#busy || this.#handlers.length === 0 || !this.#mayTake) return
    this.#busy = true
    void this.#run()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  get #mayTake(): boolean {
    return this.#hungry && !this.#stopped && this.#parts.takes() && this.#parts.slots.free > 0
  }

  async #run(): Promise<void> {
    while (this.#mayTake && (await this.#claim()));
    this.#busy = false
    this.#parts.looked()
  }

  async #claim(): Promise<boolean> {
    const { slots, caller, key, begin, lost } = this.#parts
    // Half of the slots at most, as for other claims: so neither keeps the other from looking.
    const reserved = slots.reserve(Math.min(slots.free, Math.ceil(slots.size / 2)))
    // Cleared before the look: what wakes it from now on asks for another one.
    this.#hungry = false
    let rows: readonly BatchRow[]
    try {
      rows = await claimBatches(caller, key, reserved, this.#handlers)
    } catch (error) {
      lost(error, reserved)
      return false
    }
    // Each step has its turn: what is full all the time leaves something to the others.
    this.#handlers = [...this.#handlers.slice(1), ...this.#handlers.slice(0, 1)]
    const batches = batchesIn(rows)
    if (batches.length >= reserved) this.#hungry = true
    this.#comeAgain(rows.at(-1)?.due_ms ?? null)
    slots.giveBack(reserved)
    begin(batches)
    return true
  }

  #comeAgain(dueMs: number | null): void {
    clearTimeout(this.#timer)
    if (dueMs === null || this.#stopped) return
    this.#timer = setTimeout(() => this.wake(), Math.max(1, dueMs))
    this.#timer.unref()
  }
}

function batchesIn(rows: readonly BatchRow[]): ClaimedTask[][] {
  const batches = new Map<number, ClaimedTask[]>()
  for (const row of rows) {
    if (row.batch === null) continue
    const batch = batches.get(row.batch)
    if (batch === undefined) batches.set(row.batch, [row])
    else batch.push(row)
  }
  return [...batches.values()]
}
