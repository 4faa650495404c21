// How many tasks the next drain is of, where one has a time to end in: learned from those before it.

/** Drains in a row after which the next was not to be larger: one alone may have met something else that the machine did. */
const settledDrains = 2
/** Whoever has not settled by then never does, and its turns are as large as its last drain. */
const drainsMax = 20

interface DrainBounds {
  readonly first: number
  readonly most: number
  /** That a drain must end in. */
  readonly limitMs: number
}

/** Half as many or twice as many, so that a drain takes a quarter to a half of its time: one that slows down has room to. */
export class DrainSize {
  readonly #limitMs: number
  #count: number
  #most: number
  #last: number
  #drains = 0
  #settled = 0
  #done = 0

  constructor({ first, most, limitMs }: DrainBounds) {
    this.#limitMs = limitMs
    this.#count = first
    this.#last = first
    this.#most = most
  }

  /** Of the next drain. */
  get count(): number {
    return this.#count
  }

  /** Of a turn: not what would have been tried next, and nobody has seen end. */
  get proved(): number {
    return Math.min(this.#count, this.#last)
  }

  /** All tasks so far. */
  get done(): number {
    return this.#done
  }

  get isSettled(): boolean {
    return this.#settled >= settledDrains || this.#drains >= drainsMax
  }

  /** How long the drain took. What was too long once is not tried again: it would be for ever, by turns with its half. */
  learn(ms: number): void {
    const count = this.#count
    if (ms > this.#limitMs / 2) this.#most = Math.max(1, Math.floor(count / 2))
    const isShort = ms < this.#limitMs / 4
    this.#count = Math.min(this.#most, isShort ? 2 * count : count)
    this.#settled = this.#count <= count ? this.#settled + 1 : 0
    this.#last = count
    this.#done += count
    this.#drains++
  }
}
