// The tally of what the load asks for: how often each kind was tried and acknowledged, what faults refused, and what failed although no fault explains it.
import { setTimeout as pause } from 'node:timers/promises'
import { isRefusal, refusalCode, storyOf } from './refusals.ts'

const askedKinds = ['runs', 'a run twice', 'a booking', 'a delivery', 'changes', 'light runs'] as const
export type AskedKind = (typeof askedKinds)[number]

export interface Asked {
  readonly tried: number
  readonly acknowledged: number
}

const againMs = 100
/** What fails each time would fill the report. */
const brokenMax = 20

export class Tally {
  /** What broke a promise, in sentences. */
  readonly broken: string[] = []
  readonly #asked = Object.fromEntries(askedKinds.map((kind) => [kind, { tried: 0, acknowledged: 0 }])) as {
    readonly [kind in AskedKind]: { tried: number; acknowledged: number }
  }
  readonly #refusals = new Map<string, number>()

  get asked(): Readonly<Record<AskedKind, Asked>> {
    return this.#asked
  }

  /** Calls that failed because of a fault, by what was said of them: what became of them nobody was told. */
  get refusals(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#refusals].sort(([, a], [, b]) => b - a))
  }

  /** Rejects as the asking does. */
  async ask<T>(kind: AskedKind, asking: () => Promise<T>): Promise<T> {
    const asked = this.#asked[kind]
    asked.tried++
    const answer = await asking()
    asked.acknowledged++
    return answer
  }

  /** Until it is acknowledged once more. That has to be soon: whoever can't ask any more has not got over some fault. */
  async askAgain(kind: AskedKind, act: () => Promise<void>, withinMs: number): Promise<void> {
    const { acknowledged } = this.#asked[kind]
    const begun = performance.now()
    const isLate = () => performance.now() - begun > withinMs
    const isAcknowledged = () => this.#asked[kind].acknowledged > acknowledged
    while (!isAcknowledged() && !isLate())
      await act().catch(async (error: unknown) => {
        this.failed(`What the load asked for once more, ${kind},`, error)
        await pause(againMs)
      })
    if (isLate())
      this.broken.push(
        `With all in order again ${kind} ${isAcknowledged() ? 'took' : 'was refused for'} ${((performance.now() - begun) / 1_000).toFixed(1)} s.`,
      )
  }

  failed(what: string, error: unknown): void {
    if (isRefusal(error)) {
      const code = refusalCode(error)
      this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1)
    } else if (this.broken.length < brokenMax)
      this.broken.push(`${what} failed, and no fault explains it: ${storyOf(error)}`)
  }
}
