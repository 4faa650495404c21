// Owns the plan of a run of chaos: which fault comes when, to whom and for how long. It follows from the seed alone.
import { seededRandom } from '../faults/random.ts'

/** What befalls one of the four workers. */
export const workerFaults = [
  'worker killed',
  'worker stopped beyond its lease',
  'event loop blocked beyond the lease',
  'worker out of memory',
  'clock of a worker moved',
  'deployment',
  'network cut and healed',
  'connections half-open',
  '300 ms of latency',
  'connections reset',
] as const

/** What befalls the server that all of them need. */
export const serverFaults = [
  'server killed',
  'server killed during a recovery',
  'backend killed',
  'backends terminated',
  'backend terminated during its commit',
  'listener terminated',
  'disk full',
  'fsync error',
  'connections exhausted',
  'server read-only',
  'task table locked',
  'pooler killed',
] as const

/** What befalls a worker between the end of a handler and the moment at which anybody is told of it. */
export const endFaults = [
  'worker stopped at the end of a handler',
  'worker killed at the end of a handler',
] as const

export type WorkerFault = (typeof workerFaults)[number]
export type ServerFault = (typeof serverFaults)[number]
export type EndFault = (typeof endFaults)[number]
/** The last comes once: a worker that began before the schema was migrated works beside those of today until something ends it. */
export type FaultKind = WorkerFault | ServerFault | EndFault | 'worker of the previous version'

export interface Fault<Kind extends FaultKind = FaultKind> {
  readonly kind: Kind
  /** Milliseconds after the beginning; later where the one before it in its lane still lasts. */
  readonly at: number
  /** Which of the four workers, of a fault of one. */
  readonly seat: number
  /** How far along its range its length, or whatever else it has to choose, lies: from 0 to 1. */
  readonly strength: number
}

export interface Plan {
  /** One after the other, beside those of the server. */
  readonly workers: ReadonlyArray<Fault<WorkerFault>>
  readonly server: ReadonlyArray<Fault<ServerFault>>
  /** Beside both. */
  readonly ends: ReadonlyArray<Fault<EndFault>>
}

export interface PlanOptions {
  readonly seed: number
  /** For how long faults begin. */
  readonly ms: number
  /** The mean pause between two beginnings in a lane. */
  readonly everyMs: number
  readonly seats: number
  /** What can't be had on this machine. */
  readonly without: ReadonlySet<FaultKind>
}

/** The same for the same seed, also where something can't be had: then only that is missing. */
export function planFaults({ seed, ms, everyMs, seats, without }: PlanOptions): Plan {
  const lane = <Kind extends FaultKind>(kinds: readonly Kind[], random: () => number): Array<Fault<Kind>> => {
    const faults: Array<Fault<Kind>> = []
    let deck: Kind[] = []
    for (let at = everyMs * random(); at < ms; at += everyMs * (0.5 + random())) {
      if (deck.length === 0) deck = shuffled(kinds, random)
      const fault = { kind: deck.pop()!, at, seat: Math.floor(random() * seats), strength: random() }
      if (!without.has(fault.kind)) faults.push(fault)
    }
    return faults
  }
  return {
    workers: lane(workerFaults, seededRandom(2 * seed)),
    server: lane(serverFaults, seededRandom(2 * seed + 1)),
    ends: lane(endFaults, seededRandom(-1 - seed)),
  }
}

/** Each kind once before any of them comes again. */
function shuffled<T>(things: readonly T[], random: () => number): T[] {
  const left = [...things]
  return Array.from({ length: left.length }, () => left.splice(Math.floor(random() * left.length), 1)[0]!)
}
