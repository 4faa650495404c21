// What the workers and the server use while the chaos lasts: memory, open descriptors, backends; and whether that grows.
import fs from 'node:fs'
import type { Sql } from '../protocol.ts'
import type { Seat } from './fleet.ts'

interface Sample {
  readonly at: number
  readonly kilobytes: number
  /** Of its objects that somebody refers to; undefined where that is not asked. */
  readonly heapKilobytes: number | undefined
  readonly descriptors: number
}

export interface Growth {
  /** Minutes that the process was looked at, without its first fifth. */
  readonly minutes: number
  readonly memory: Slope
  /** Undefined where it was not measured. */
  readonly heap: Slope | undefined
  /** Medians of the first and of the last fifth. */
  readonly descriptors: readonly [first: number, last: number]
}

export interface Slope {
  readonly megabytes: number
  /** By a straight line through the samples, least squares. */
  readonly percentPerHour: number
}

/** A slope over less says nothing: the heap is still filling. */
const minutesMin = 10
const samplesMax = 10_000

export class Soak {
  readonly #seats: readonly Seat[]
  readonly #sql: Sql
  readonly #samples = new Map<number, Sample[]>()
  readonly #backends: number[] = []

  constructor(seats: readonly Seat[], sql: Sql) {
    this.#seats = seats
    this.#sql = sql
  }

  async sample(): Promise<void> {
    for (const seat of this.#seats) {
      const { pid, heapBytes } = seat
      if (pid === undefined) continue
      this.#sampleProcess(pid, heapBytes)
      // The answer is there by the next sample.
      if (seat.options.collects) seat.measure()
    }
    const rows = await this.#sql
      .query<{ count: number }>(
        'select count(*)::int as count from pg_stat_activity where datname = current_database()',
      )
      .catch(() => [])
    if (rows[0] !== undefined && this.#backends.length < samplesMax) this.#backends.push(rows[0].count)
  }

  /** Of each process that lived long enough, the longest first. */
  get growths(): Growth[] {
    return [...this.#samples.values()]
      .map(growthOf)
      .filter(({ minutes }) => minutes >= minutesMin)
      .sort((a, b) => b.minutes - a.minutes)
  }

  get backends(): { readonly first: number; readonly last: number; readonly most: number } {
    return {
      first: median(firstFifth(this.#backends.slice(this.#backends.length / 5))),
      last: median(lastFifth(this.#backends)),
      most: Math.max(0, ...this.#backends),
    }
  }

  #sampleProcess(pid: number, heapBytes: number | undefined): void {
    try {
      const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8')
      const kilobytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1])
      const descriptors = fs.readdirSync(`/proc/${pid}/fd`).length
      const samples = this.#samples.get(pid) ?? []
      if (samples.length < samplesMax)
        samples.push({
          at: performance.now(),
          kilobytes,
          heapKilobytes: heapBytes && heapBytes / 1_024,
          descriptors,
        })
      this.#samples.set(pid, samples)
    } catch {
      // It has ended meanwhile; or this system doesn't tell.
    }
  }
}

/** Of the samples of one process, without their first fifth: it becomes warm. */
export function growthOf(all: readonly Sample[]): Growth {
  const samples = all.slice(Math.floor(all.length / 5))
  const heap = samples.flatMap(({ at, heapKilobytes }) =>
    heapKilobytes === undefined ? [] : [[at, heapKilobytes] as const],
  )
  const descriptors = samples.map((sample) => sample.descriptors)
  return {
    minutes: (samples.at(-1)!.at - samples[0]!.at) / 60_000,
    memory: slopeOf(samples.map(({ at, kilobytes }) => [at, kilobytes] as const)),
    heap: heap.length === 0 ? undefined : slopeOf(heap),
    descriptors: [median(firstFifth(descriptors)), median(lastFifth(descriptors))],
  }
}

/** Of points of a time in milliseconds and kilobytes. */
function slopeOf(points: ReadonlyArray<readonly [at: number, kilobytes: number]>): Slope {
  const mean = (place: 0 | 1) => points.reduce((sum, point) => sum + point[place], 0) / points.length
  const [at, kilobytes] = [mean(0), mean(1)]
  const over = points.reduce((sum, point) => sum + (point[0] - at) * (point[1] - kilobytes), 0)
  const under = points.reduce((sum, point) => sum + (point[0] - at) ** 2, 0)
  const perHour = under === 0 ? 0 : (over / under) * 3_600_000
  return { megabytes: kilobytes / 1_024, percentPerHour: (100 * perHour) / kilobytes }
}

export const firstFifth = <T>(values: readonly T[]): readonly T[] =>
  values.slice(0, Math.ceil(values.length / 5))
export const lastFifth = <T>(values: readonly T[]): readonly T[] =>
  values.slice(-Math.ceil(values.length / 5))

/** 0 of none. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
}
