// The nemesis: carries out the plan of faults, notes what it did and when, and puts everything in order again at the end.
import { setTimeout as pause } from 'node:timers/promises'
import type { Fault, FaultKind, Plan } from './plan.ts'
import { ServerNemesis } from './server-nemesis.ts'
import type { Stage } from './stage.ts'
import { WorkerNemesis } from './worker-nemesis.ts'

/** A fault while it was carried out, or tried. By the machine's clock, as are begin and end of attempts. */
export interface Tried {
  readonly kind: FaultKind
  readonly from: number
  readonly to: number
}

/** One that could not be carried out as things stood. */
export interface Missed extends Tried {
  readonly reason: string
}

interface Bringer<Kind extends FaultKind> {
  readonly bring: (fault: Fault<Kind>) => Promise<void>
  /** Puts in order what a fault left behind that failed half-way: of its own lane, or it would end a fault of another one. */
  readonly mend?: () => Promise<void>
}

export class Nemesis {
  readonly done: Tried[] = []
  readonly missed: Missed[] = []
  readonly server: ServerNemesis
  readonly #workers: WorkerNemesis
  readonly #tell: (line: string) => void
  #stopped = false

  constructor(
    stage: Stage,
    options: { readonly leaseSeconds: number; readonly tell: (line: string) => void },
  ) {
    this.#tell = options.tell
    this.server = new ServerNemesis(stage)
    this.#workers = new WorkerNemesis(stage, options)
  }

  /** What was done, and what was begun and then missed: that may have disturbed others as well. */
  get tried(): readonly Tried[] {
    return [...this.done, ...this.missed]
  }

  get isFilling(): boolean {
    return this.server.isFilling
  }

  /** What of the plan there is time for: a fault that takes longer than was planned holds up those after it. */
  async carryOut(plan: Plan, ms: number): Promise<void> {
    const begun = performance.now()
    const over = setTimeout(() => this.stop(), ms)
    await Promise.all([
      this.#lane(plan.workers, begun, { bring: (fault) => this.#workers.bring(fault) }),
      this.#lane(plan.server, begun, {
        bring: (fault) => this.server.bring(fault),
        mend: () => this.server.mend(),
      }),
      this.#lane(plan.ends, begun, { bring: (fault) => this.#workers.bringEnd(fault) }),
    ])
    clearTimeout(over)
    await this.server.mend()
    await this.#workers.mend()
  }

  /** No other fault begins. */
  stop(): void {
    this.#stopped = true
  }

  async #lane<Kind extends FaultKind>(
    faults: ReadonlyArray<Fault<Kind>>,
    begun: number,
    { bring, mend }: Bringer<Kind>,
  ): Promise<void> {
    for (const fault of faults) {
      while (!this.#stopped && performance.now() < begun + fault.at) await pause(50)
      if (this.#stopped) return
      const from = Date.now()
      try {
        await bring(fault)
        this.done.push({ kind: fault.kind, from, to: Date.now() })
        this.#tell(`${fault.kind}, ${((Date.now() - from) / 1_000).toFixed(1)} s`)
      } catch (error) {
        const reason = (error as Error).message
        this.missed.push({ kind: fault.kind, from, to: Date.now(), reason })
        this.#tell(`${fault.kind} was not to be had: ${reason}`)
        await mend?.()
      }
    }
  }
}
