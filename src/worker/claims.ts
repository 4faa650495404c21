// The claim loop: takes tasks while slots are free, and says when it sleeps, so that a start wakes it.
import type { Caller } from '../db/call.ts'
import { type ClaimedTask, claimTasks, type WorkerKey } from '../db/tasks.ts'
import { sleepWorker } from '../db/workers.ts'
import type { LanePositions } from './lanes.ts'
import type { Slots } from './slots.ts'

/** Looks again after saying that it sleeps: a start in between may have seen it awake. The heartbeat looks from then on. */
const looksMs = [0, 50, 250]
/** A worker whose slots fill again at once says nothing: each saying is a commit. */
const restMs = 5
const restsMax = 20

export interface ClaimParts {
  readonly caller: Caller
  readonly key: WorkerKey
  readonly slots: Slots
  readonly lanes: LanePositions
  readonly begin: (tasks: readonly ClaimedTask[]) => void
  /** Whether it takes work at present: not paused, not draining. */
  readonly takes: () => boolean
  /** Something woke it. */
  readonly woken: () => void
  /** A look is over, and slots that were set aside for it may be free. */
  readonly looked: () => void
  readonly failed: (error: unknown) => void
  /** Nobody knows what a call has brought that had so many slots set aside. */
  readonly lost: (error: unknown, reserved: number) => void
  /** Monotonic milliseconds. */
  readonly monotonic: () => number
}

export class Claims {
  readonly #parts: ClaimParts
  #busy = false
  #again = false
  #hungry = true
  #sleeping = false
  #woken = false
  #lookFully = false
  #timers = new Set<NodeJS.Timeout>()
  #stopped = false

  constructor(parts: ClaimParts) {
    this.#parts = parts
  }

  /** Whether the database should wake this worker. */
  get sleeping(): boolean {
    return this.#sleeping
  }

  /** Whether a look is on its way. */
  get busy(): boolean {
    return this.#busy
  }

  /** Something may be there: look for it. */
  wake(): void {
    this.#hungry = true
    this.#woken = true
    this.look()
    this.#parts.woken()
  }

  /** A slot is free: take more if the last look found more than it could take. */
  look(): void {
    if (this.#stopped) return
    if (this.#busy) {
      this.#again = true
      return
    }
    this.#busy = true
    void this.#run()
  }

  /** The heartbeat claimed: notes what it found, and gives back what was set aside for it. */
  found(tasks: readonly ClaimedTask[], asked: number, full: boolean): void {
    this.#parts.slots.giveBack(asked)
    this.#parts.lanes.saw(tasks, full)
    // It is still hungry where something woke it meanwhile: that may have come after the heartbeat's look.
    if (asked > 0 && tasks.length >= asked) this.#hungry = true
    this.#parts.begin(tasks)
    if (this.#hungry) this.look()
    else this.#rest()
  }

  /** A heartbeat that was on its way before it slept has told the database that it is awake. */
  sleepAgain(): void {
    if (this.#sleeping && !this.#stopped) void this.#sleep()
  }

  stop(): void {
    this.#stopped = true
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  async #run(): Promise<void> {
    do {
      this.#again = false
      while (this.#hungry && !this.#stopped && this.#parts.takes() && this.#parts.slots.free > 0) {
        if (!(await this.#claim())) break
      }
    } while (this.#again && !this.#stopped && this.#hungry && this.#parts.slots.free > 0)
    this.#busy = false
    if (!this.#hungry) this.#rest()
    this.#parts.looked()
  }

  async #claim(): Promise<boolean> {
    const { slots, lanes, caller, key } = this.#parts
    // Half of the slots at most: while the outcomes of one half are written, the other is claimed.
    const reserved = slots.reserve(Math.min(slots.free, Math.ceil(slots.size / 2)))
    const look = lanes.lanes(this.#parts.monotonic(), this.#lookFully)
    const woken = this.#woken
    // Cleared before the look: what wakes it from now on asks for another one.
    this.#hungry = false
    this.#woken = false
    this.#lookFully = false
    let tasks: readonly ClaimedTask[]
    try {
      tasks = await claimTasks(caller, key, reserved, look)
    } catch (error) {
      this.#parts.lost(error, reserved)
      return false
    }
    lanes.saw(tasks, look.full)
    if (tasks.length >= reserved) {
      this.#hungry = true
      this.#sleeping = false
    }
    // Woken, and nothing beyond the last position: what it was woken for may lie before it.
    if (woken && tasks.length === 0 && !look.full) {
      this.#hungry = true
      this.#lookFully = true
    }
    slots.giveBack(reserved)
    this.#parts.begin(tasks)
    return true
  }

  /** With slots free and nothing to claim for a moment, says that it sleeps and looks again. */
  #rest(): void {
    if (this.#stopped || this.#parts.slots.free === 0 || !this.#parts.takes()) {
      this.#sleeping = false
      return
    }
    if (this.#sleeping) return
    this.#sleeping = true
    this.#after(restMs, () => void this.#sleep())
  }

  async #sleep(rests = 1): Promise<void> {
    // A worker whose starts are on their way to it does not sleep; a steady stream of them hides nobody else's for long.
    if (this.#parts.slots.isExpecting && rests < restsMax) {
      this.#after(restMs, () => void this.#sleep(rests + 1))
      return
    }
    if (this.#parts.slots.free === 0 || !this.#parts.takes()) {
      this.#sleeping = false
      return
    }
    try {
      await sleepWorker(this.#parts.caller, this.#parts.key)
    } catch (error) {
      this.#sleeping = false
      this.#parts.failed(error)
      return
    }
    for (const ms of looksMs) this.#after(ms, () => this.wake())
  }

  #after(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      if (!this.#stopped) work()
    }, ms)
    timer.unref()
    this.#timers.add(timer)
  }
}
