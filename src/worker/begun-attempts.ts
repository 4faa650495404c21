// Which attempts this worker has begun, so that each is begun once, whichever answer brings it: a lost answer is asked for again and may still come.
// Those in hand are known by their slots, for as long as they take.

const attemptsKept = 20_000
/** The last look at what a worker holds comes after 65 s (see reconcile.ts): until then a lost answer may come. */
const keptMs = 120_000

interface Attempt {
  readonly taskId: number
  readonly step: { readonly id: number }
  readonly attempt: number
}

/** Forgets the oldest half when it is full or old: an answer is late by seconds, not by minutes or by ten thousand attempts. */
export class BegunAttempts {
  readonly #monotonic: () => number
  #youngSince: number
  #young = new Set<string>()
  #old = new Set<string>()
  #count = 0

  /** @param monotonic milliseconds from a clock that never goes back */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
    this.#youngSince = monotonic()
  }

  /** How many there were. */
  get count(): number {
    return this.#count
  }

  /** True the first time. */
  add(attempt: Attempt): boolean {
    const name = nameOf(attempt)
    if (this.#young.has(name) || this.#old.has(name)) return false
    this.#count++
    this.#keep(name)
    return true
  }

  /** It has ended, or is not to begin at all: from now on it is remembered for as long as if it began now. */
  renew(attempt: Attempt): void {
    this.#keep(nameOf(attempt))
  }

  /** It did not begin after all. */
  take(attempt: Attempt): void {
    const name = nameOf(attempt)
    if (this.#young.delete(name) || this.#old.delete(name)) this.#count--
  }

  #keep(name: string): void {
    this.#young.add(name)
    const now = this.#monotonic()
    if (this.#young.size < attemptsKept / 2 && now - this.#youngSince < keptMs) return
    this.#old = this.#young
    this.#young = new Set()
    this.#youngSince = now
  }
}

function nameOf({ taskId, step, attempt }: Attempt): string {
  return `${taskId} ${step.id} ${attempt}`
}
