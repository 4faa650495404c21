// Owns what tells one start of the load from all others: it goes into the input, so that a start that was carried out twice shows itself.

export class Nonces {
  readonly #seed: number
  #last = 0

  constructor(seed: number) {
    this.#seed = seed
  }

  next(): string {
    return `${this.#seed}-${++this.#last}`
  }
}
