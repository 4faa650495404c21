// Which attempts this worker has begun, so that each is begun once, whichever answer brings it: a lost answer is asked for again and may still come.

const attemptsKept = 20_000

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
  add({
    taskId,
    step,
    attempt,
  }: {
    taskId: number
    step: { readonly id: number }
    attempt: number
  }): boolean {
    const name = `${taskId} ${step.id} ${attempt}`
    if (this.#young.has(name) || this.#old.has(name)) return false
    this.#young.add(name)
    this.#count++
    if (this.#young.size >= attemptsKept / 2) {
      this.#old = this.#young
      this.#young = new Set()
    }
    return true
  }
}
