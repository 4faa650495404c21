// The detector of what is stuck: looks once a second whether something should have gone on long ago.
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import type { Sql } from '../protocol.ts'
import type { Seat } from './fleet.ts'
import { isRefusal, storyOf } from './refusals.ts'
import { dumpStuck, findStuck, mayTakeBack } from './stuck.ts'

export interface DetectorParts {
  readonly pool: Pick<pg.Pool, 'query'>
  readonly seats: ReadonlyArray<Pick<Seat, 'wellSince' | 'generation'>>
  readonly leaseSeconds: number
}

const stuckSeconds = 60
const lookMs = 1_000
/** After the lease of grace: until somebody has taken back what the dead held, and that has gone on. */
const takenBackSeconds = 15

export class Detector {
  /** All that may say why. */
  found: string | undefined
  readonly #sql: Sql
  readonly #seats: DetectorParts['seats']
  readonly #calmSeconds: number
  /** Since when there is a worker for everything: without one, nothing has to go on. */
  #servedSince = performance.now()
  #stopped = false

  constructor({ pool, seats, leaseSeconds }: DetectorParts) {
    this.#sql = {
      query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
        (await pool.query<Row>(text, values)).rows,
    }
    this.#seats = seats
    this.#calmSeconds = leaseSeconds + takenBackSeconds
  }

  async watch(onFound: () => void): Promise<void> {
    for (; !this.#stopped; await pause(lookMs)) {
      if (!this.#isServed) this.#servedSince = performance.now()
      if (performance.now() - this.#servedSince < stuckSeconds * 1_000) continue
      await this.look()
      if (this.found === undefined) continue
      onFound()
      return
    }
  }

  /**
   * Finds nothing before workers could take back what the dead hold, which locks and limits wait for: nobody does so within a lease after its
   * heartbeat was cut off, and here servers fall more often at times. A detector that can't look finds that: nobody would miss it otherwise.
   */
  async look(): Promise<void> {
    try {
      if (!(await mayTakeBack(this.#sql, this.#calmSeconds))) return
      const stuck = await findStuck(this.#sql, stuckSeconds)
      if (stuck.length === 0) return
      const runs = [...new Set(stuck.map(({ run_id: run }) => run))]
      this.found = `${stuck.map(({ run_id: run, what }) => `${run}: ${what}`).join('\n')}\n${await dumpStuck(this.#sql, runs)}`
    } catch (error) {
      // While the server is away, nothing can be said of anything.
      if (!isRefusal(error)) this.found = `The detector failed: ${storyOf(error)}`
    }
  }

  stop(): void {
    this.#stopped = true
  }

  get #isServed(): boolean {
    const well = this.#seats.filter(({ wellSince }) => wellSince !== undefined)
    return new Set(well.map(({ generation }) => generation)).size > 1
  }
}
