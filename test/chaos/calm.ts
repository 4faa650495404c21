// The calm of a run of chaos: the stretches of time in which workers were there for everything, so that all that was due had to go on.

interface Stretch {
  readonly from: number
  readonly to: number
}

/** Between two looks further apart nobody knows what was. */
const apartMsMost = 5_000

/** By the clock of the server, in milliseconds. */
export class Calm {
  readonly #stretches: Stretch[] = []
  #lookedAt: number | undefined
  #isCalm = false

  /** What a look found. Between two looks that find it calm, it is. */
  noted(at: number, isCalm: boolean): void {
    const before = this.#lookedAt
    const goesOn = isCalm && this.#isCalm && before !== undefined && at - before <= apartMsMost
    if (goesOn) this.#stretches.push({ from: this.#stretches.pop()!.from, to: at })
    else if (isCalm) this.#stretches.push({ from: at, to: at })
    this.#lookedAt = at
    this.#isCalm = isCalm
  }

  /** For how long it has been calm without a break; undefined where it is not. */
  get lasting(): number | undefined {
    const last = this.#isCalm ? this.#stretches.at(-1) : undefined
    return last && last.to - last.from
  }

  get all(): number {
    return this.within(0, Number.POSITIVE_INFINITY)
  }

  /** How much of this time was calm. */
  within(from: number, to: number): number {
    return this.#stretches.reduce(
      (sum, stretch) => sum + Math.max(0, Math.min(to, stretch.to) - Math.max(from, stretch.from)),
      0,
    )
  }
}
