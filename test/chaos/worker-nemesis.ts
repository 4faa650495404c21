// What befalls single workers: they are killed, hang, run out of memory, have wrong clocks, are cut off, and are deployed anew.
import { setTimeout as pause } from 'node:timers/promises'
import { migrate } from '../../src/db/migrate.ts'
import { withClock } from '../faults/false-clock.ts'
import type { Seat } from './fleet.ts'
import type { EndedAttempt } from './orders.ts'
import type { EndFault, Fault, WorkerFault } from './plan.ts'
import type { Stage } from './stage.ts'

const clocks = ['+1h', '-1h', '+0 x1.5']
const latencyMs = 150
const takenLookMs = 20
/** Nobody takes back what others held within a lease after a fall of the server, and it may fall again meanwhile. */
const takenLeasesMax = 4
/** Of the ends of handlers that are looked for: those that fail. */
const failingShare = 0.4

export class WorkerNemesis {
  readonly #stage: Stage
  readonly #leaseMs: number

  constructor(stage: Stage, { leaseSeconds }: { readonly leaseSeconds: number }) {
    this.#stage = stage
    this.#leaseMs = leaseSeconds * 1_000
  }

  /** Once nobody else has one of these workers at hand. */
  bring(fault: Fault<WorkerFault>): Promise<void> {
    const seats = this.#seatsOf(fault)
    return seats.reduceRight<() => Promise<void>>(
      (work, seat) => () => seat.alone(work),
      () => this.#orInOrder(seats, () => this.#bring(fault)),
    )()
  }

  /** What comes exactly where a handler ends. */
  async bringEnd({ kind, seat: number, strength }: Fault<EndFault>): Promise<void> {
    const seat = this.#stage.parts.seats[number]!
    await seat.alone(() =>
      this.#orInOrder([seat], async () => {
        if (kind === 'worker stopped at the end of a handler')
          return this.#stopAtEnd(seat, strength < failingShare)
        await seat.killAtEnd(strength < failingShare)
        return seat.start()
      }),
    )
  }

  /** Of a fault that fails half-way: its seats have workers that are well again, or nobody would miss them until the end. */
  async #orInOrder(seats: readonly Seat[], fault: () => Promise<void>): Promise<void> {
    try {
      await fault()
    } catch (error) {
      for (const seat of seats) if (seat.wellSince === undefined) await startAnew(seat)
      throw error
    }
  }

  async #bring({ kind, seat: number, strength }: Fault<WorkerFault>): Promise<void> {
    const seat = this.#stage.parts.seats[number]!
    const beyondLease = this.#leaseMs * (1.2 + 0.8 * strength)
    switch (kind) {
      case 'worker killed':
        await seat.kill()
        await pause(strength * 4_000)
        return seat.start()
      case 'worker stopped beyond its lease':
        return this.#unwell(seat, async () => {
          seat.signal('SIGSTOP')
          await pause(beyondLease)
          seat.signal('SIGCONT')
        })
      case 'event loop blocked beyond the lease':
        return this.#unwell(seat, async () => {
          seat.block(beyondLease)
          await pause(beyondLease)
        })
      case 'worker out of memory':
        await seat.eat()
        return seat.start()
      case 'clock of a worker moved':
        await seat.stop()
        return seat.start({ environment: withClock(clocks[Math.floor(strength * clocks.length)]!) })
      case 'deployment':
        return this.#deploy(seat)
      case 'network cut and healed':
        return this.#unwell(this.#stage.parts.seats[3]!, async () => {
          this.#stage.parts.network!.cut()
          await pause(beyondLease)
          this.#stage.parts.network!.heal()
        })
      case 'connections half-open':
        return this.#unwell(this.#stage.parts.seats[1]!, async () => {
          this.#stage.parts.proxy.blackhole()
          await pause(beyondLease)
          this.#stage.parts.proxy.heal()
        })
      case '300 ms of latency':
        this.#stage.parts.proxy.delay(latencyMs)
        await pause(2_000 + strength * 4_000)
        return this.#stage.parts.proxy.delay(0)
      case 'connections reset':
        return this.#stage.parts.proxy.cut()
      default:
        throw new Error(`nobody knows how to bring about '${String(kind satisfies never)}'`)
    }
  }

  /** Everything as it should be: workers of both generations, each as it was first, on networks that work. */
  async mend(): Promise<void> {
    this.#stage.parts.proxy.delay(0)
    this.#stage.parts.proxy.heal()
    this.#stage.parts.network?.heal()
    await Promise.all(
      this.#stage.parts.seats.map(async (seat) => {
        seat.signal('SIGCONT')
        const generation = seat.options.number % 2
        if (!seat.isOdd && seat.generation === generation && seat.wellSince !== undefined) return
        if (seat.wellSince !== undefined) await seat.stop()
        else await seat.kill()
        seat.generation = generation
        await seat.start()
      }),
    )
  }

  /** It goes on as soon as somebody else is in the middle of what it had finished; where nobody is, what it says meets no heir, and that is no such fault. */
  async #stopAtEnd(seat: Seat, failing: boolean): Promise<void> {
    await this.#unwell(seat, async () => {
      try {
        const ended = await seat.stopAtEnd(failing)
        for (const other of this.#stage.parts.seats) if (other !== seat) other.stayAt(ended)
        const giveUpAt = performance.now() + takenLeasesMax * this.#leaseMs
        while (!(await this.#isTaken(ended))) {
          if (performance.now() > giveUpAt) throw new Error('nobody took over what it had finished')
          await pause(takenLookMs)
        }
      } finally {
        seat.signal('SIGCONT')
      }
    })
  }

  async #isTaken({ run, step, attempt }: EndedAttempt): Promise<boolean> {
    const text = `select exists (select from millrace.task t join millrace.step_definition d on d.id = t.step_id
                                  where t.run_id = $1 and d.step = $2 and t.attempt > $3 and t.worker_id is not null)
                      or exists (select from millrace.attempt where run_id = $1 and step = $2 and attempt > $3) as taken`
    // While the server is away, nobody takes anything.
    const answer = await this.#stage.parts.pool
      .query<{ taken: boolean }>(text, [run, step, attempt])
      .catch(() => undefined)
    return answer?.rows[0]?.taken === true
  }

  /** In one order, whoever asks. */
  #seatsOf({ kind, seat: number }: Fault<WorkerFault>): readonly Seat[] {
    const { seats } = this.#stage.parts
    if (kind === '300 ms of latency' || kind === 'connections reset') return []
    if (kind === 'network cut and healed') return [seats[3]!]
    if (kind === 'connections half-open') return [seats[1]!]
    return kind === 'deployment' ? seats : [seats[number]!]
  }

  async #unwell(seat: Seat, fault: () => Promise<void>): Promise<void> {
    seat.wellSince = undefined
    try {
      await fault()
    } finally {
      // Whose worker ended meanwhile has another one, or gets it when all is mended.
      seat.wellSince = performance.now()
    }
  }

  /** The database first; then two of the workers, one after the other, so that those of both generations are there all the time. */
  async #deploy(seat: Seat): Promise<void> {
    await migrate({ connectionString: this.#stage.parts.server.url })
    const other = this.#stage.parts.seats.find(({ generation }) => generation !== seat.generation)!
    const [first, second] = [seat.generation, other.generation]
    for (const [deployed, generation] of [
      [seat, second],
      [other, first],
    ] as const) {
      await deployed.stop()
      deployed.generation = generation
      await deployed.start()
    }
  }
}

async function startAnew(seat: Seat): Promise<void> {
  await seat.kill()
  await seat.start()
}
