// The faults that a test has ordered: each is fired once, when a handler has ended that it was meant for.
import type { StepCall } from './step-doubles.ts'

/** A fault on order. */
export interface Fault {
  /** Whether it has come about. */
  readonly fired: boolean
}

interface ArmedFault {
  readonly target: Partial<Pick<StepCall, 'step' | 'runId'>>
  readonly fire: () => Promise<void>
  fired: boolean
}

export class Faults {
  readonly #armed: ArmedFault[] = []
  #error: { readonly thrown: unknown } | undefined

  get anyFired(): boolean {
    return this.#armed.some(({ fired }) => fired)
  }

  arm(target: ArmedFault['target'], fire: () => Promise<void>): Fault {
    const armed = { target, fire, fired: false }
    this.#armed.push(armed)
    return armed
  }

  /** A handler has ended: what was waiting for it comes about, one after the other. */
  async ended({ step, runId }: StepCall): Promise<void> {
    for (const armed of this.#armed) {
      const { target } = armed
      if (armed.fired || (target.step ?? step) !== step || (target.runId ?? runId) !== runId) continue
      armed.fired = true
      // The step is not to fail for it.
      await armed.fire().catch((thrown: unknown) => {
        this.#error = { thrown }
      })
    }
  }

  /** Throws what went wrong in bringing about a fault. */
  check(): void {
    const error = this.#error
    this.#error = undefined
    if (error !== undefined) throw error.thrown
  }
}
