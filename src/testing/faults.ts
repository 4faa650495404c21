// The faults that a test has ordered: each is fired once, when a handler has ended that it was meant for.
import type { StepCall } from './step-doubles.ts'

/** A fault on order. */
export interface Fault {
  /** Whether it has come about. */
  readonly fired: boolean
}

export type FaultKind = 'crash' | 'lost lease' | 'database gone'

interface ArmedFault {
  readonly kind: FaultKind
  readonly target: Partial<Pick<StepCall, 'step' | 'runId'>>
  readonly fire: (call: StepCall) => Promise<void>
  fired: boolean
}

export class Faults {
  readonly #armed: ArmedFault[] = []
  #error: { readonly thrown: unknown } | undefined

  get anyFired(): boolean {
    return this.#armed.some(({ fired }) => fired)
  }

  arm(kind: FaultKind, target: ArmedFault['target'], fire: ArmedFault['fire']): Fault {
    const armed = { kind, target, fire, fired: false }
    this.#armed.push(armed)
    return armed
  }

  /** A handler has ended, of a batch for several attempts: of each kind the first that was waiting for it comes about, one after the other. */
  async ended(calls: readonly StepCall[]): Promise<void> {
    const come = new Set<FaultKind>()
    for (const armed of this.#armed) {
      const call = calls.find((one) => isMeant(armed, one))
      if (armed.fired || come.has(armed.kind) || call === undefined) continue
      come.add(armed.kind)
      armed.fired = true
      // The step is not to fail for it.
      await armed.fire(call).catch((thrown: unknown) => {
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

function isMeant({ target }: ArmedFault, { step, runId }: StepCall): boolean {
  return (target.step ?? step) === step && (target.runId ?? runId) === runId
}
