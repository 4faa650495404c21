// The nemesis: carries out the plan of faults, notes what it did and when, and puts everything in order again at the end.
import { setTimeout as pause } from 'node:timers/promises'
import type { Fault, FaultKind, Plan } from './plan.ts'
import { ServerNemesis } from './server-nemesis.ts'
import type { Stage } from './stage.ts'
import { WorkerNemesis } from './worker-nemesis.ts'

export interface Done {
  readonly kind: FaultKind
  /** By the machine's clock, as are begin and end of attempts. */
  readonly from: number
  readonly to: number
  /** Slots of all workers that were busy as it began: so many calls to the outside may be made again. */
  readonly busy: number
}

interface Bringer<Kind extends FaultKind> {
  readonly bring: (fault: Fault<Kind>) => Promise<void>
  /** Puts in order what a fault left behind that failed half-way: of its own lane, or it would end a fault of another one. */
  readonly mend?: () => Promise<void>
}

export class Nemesis {
  readonly done: Done[] = []
  /** Faults that could not be carried out as things stood, each with the reason. */
  readonly missed: string[] = []
  readonly server: ServerNemesis
  readonly #workers: WorkerNemesis
  readonly #stage: Stage
  readonly #tell: (line: string) => void
  #stopped = false

  constructor(
    stage: Stage,
    options: { readonly leaseSeconds: number; readonly tell: (line: string) => void },
  ) {
    this.#stage = stage
    this.#tell = options.tell
    this.server = new ServerNemesis(stage)
    this.#workers = new WorkerNemesis(stage, options)
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
      const busy = await this.#busy()
      const from = Date.now()
      try {
        await bring(fault)
        this.done.push({ kind: fault.kind, from, to: Date.now(), busy })
        this.#tell(`${fault.kind}, ${((Date.now() - from) / 1_000).toFixed(1)} s`)
      } catch (error) {
        this.missed.push(`${fault.kind}: ${(error as Error).message}`)
        this.#tell(`${fault.kind} was not to be had: ${(error as Error).message}`)
        await mend?.()
      }
    }
  }

  async #busy(): Promise<number> {
    const text = 'select count(*)::int as busy from millrace.task where worker_id is not null'
    const answer = await this.#stage.parts.pool.query<{ busy: number }>(text).catch(() => undefined)
    // Where the server is away at present, all of them may be.
    const all = this.#stage.parts.seats.reduce((sum, { options }) => sum + options.slots, 0)
    return answer?.rows[0]?.busy ?? all
  }
}
