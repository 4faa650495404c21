// Which attempts this worker has begun, so that each is begun once, whichever answer brings it: a lost answer is asked for again and may still come.

const attemptsKept = 20_000

interface Attempt {
  readonly taskId: number
  readonly step: { readonly id: number }
  readonly attempt: number
}

/** Forgets the oldest half when it is full: an answer is late by seconds, not by ten thousand attempts. */
export class BegunAttempts {
  #young = new Set<string>()
  #old = new Set<string>()
  #count = 0

  /** How many there were. */
  get count(): number {
    return this.#count
  }

  /** True the first time. */
  add(attempt: Attempt): boolean {
    const name = nameOf(attempt)
    if (this.#young.has(name) || this.#old.has(name)) return false
    this.#young.add(name)
    this.#count++
    if (this.#young.size >= attemptsKept / 2) {
      this.#old = this.#young
      this.#young = new Set()
    }
    return true
  }
  /** It did not begin after all. */
  take(attempt: Attempt): void {
    const name = nameOf(attempt)
    if (this.#young.delete(name) || this.#old.delete(name)) this.#count--
  }
}

function nameOf({ taskId, step, attempt }: Attempt): string {
  return `${taskId} ${step.id} ${attempt}`
}
