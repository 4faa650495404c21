// The tally of what the load asks for: how often each kind was tried and acknowledged, what faults refused, and what failed although no fault explains it.
import { isRefusal, storyOf } from './refusals.ts'

const askedKinds = ['runs', 'a run twice', 'a booking', 'a delivery', 'changes', 'light runs'] as const
type AskedKind = (typeof askedKinds)[number]

export interface Asked {
  readonly tried: number
  readonly acknowledged: number
}

/** What fails each time would fill the report. */
const brokenMax = 20

export class Tally {
  /** What broke a promise, in sentences. */
  readonly broken: string[] = []
  readonly #asked = Object.fromEntries(askedKinds.map((kind) => [kind, { tried: 0, acknowledged: 0 }])) as {
    readonly [kind in AskedKind]: { tried: number; acknowledged: number }
  }
  #refused = 0

  get asked(): Readonly<Record<AskedKind, Asked>> {
    return this.#asked
  }

  /** Calls that failed because of a fault: what became of them nobody was told. */
  get refused(): number {
    return this.#refused
  }

  /** Rejects as the asking does. */
  async ask<T>(kind: AskedKind, asking: () => Promise<T>): Promise<T> {
    const asked = this.#asked[kind]
    asked.tried++
    const answer = await asking()
    asked.acknowledged++
    return answer
  }

  failed(what: string, error: unknown): void {
    if (isRefusal(error)) this.#refused++
    else if (this.broken.length < brokenMax)
      this.broken.push(`${what} failed, and no fault explains it: ${storyOf(error)}`)
  }
}
