// What the workers and the server use while the chaos lasts: memory, open descriptors, backends; and whether that grows.
import fs from 'node:fs'
import type { Sql } from '../protocol.ts'
import type { Seat } from './fleet.ts'

interface Sample {
  readonly at: number
  readonly kilobytes: number
  readonly descriptors: number
}

export interface Growth {
  /** Minutes that the process was looked at, without its first fifth. */
  readonly minutes: number
  readonly megabytes: number
  /** Of its memory, by a straight line through the samples. */
  readonly percentPerHour: number
  readonly descriptors: readonly [first: number, last: number]
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
    for (const { pid } of this.#seats) if (pid !== undefined) this.#sampleProcess(pid)
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
      first: this.#backends[0] ?? 0,
      last: this.#backends.at(-1) ?? 0,
      most: Math.max(0, ...this.#backends),
    }
  }

  #sampleProcess(pid: number): void {
    try {
      const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8')
      const kilobytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1])
      const descriptors = fs.readdirSync(`/proc/${pid}/fd`).length
      const samples = this.#samples.get(pid) ?? []
      if (samples.length < samplesMax) samples.push({ at: performance.now(), kilobytes, descriptors })
      this.#samples.set(pid, samples)
    } catch {
      // It has ended meanwhile; or this system doesn't tell.
    }
  }
}

function growthOf(all: readonly Sample[]): Growth {
  const samples = all.slice(Math.floor(all.length / 5))
  const [first, last] = [samples[0]!, samples.at(-1)!]
  const mean = (of: (sample: Sample) => number) =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length
  const [at, kilobytes] = [mean((sample) => sample.at), mean((sample) => sample.kilobytes)]
  const over = samples.reduce((sum, sample) => sum + (sample.at - at) * (sample.kilobytes - kilobytes), 0)
  const under = samples.reduce((sum, sample) => sum + (sample.at - at) ** 2, 0)
  const perHour = under === 0 ? 0 : (over / under) * 3_600_000
  return {
    minutes: (last.at - first.at) / 60_000,
    megabytes: kilobytes / 1_024,
    percentPerHour: (100 * perHour) / kilobytes,
    descriptors: [first.descriptors, last.descriptors],
  }
}
