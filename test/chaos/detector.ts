// The detector of what is stuck: looks once a second whether something should have gone on long ago.
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import type { Sql } from '../protocol.ts'
import type { Seat } from './fleet.ts'
import { isRefusal, storyOf } from './refusals.ts'
import { dumpStuck, findStuck } from './stuck.ts'

export interface DetectorParts {
  readonly pool: Pick<pg.Pool, 'query'>
  readonly seats: ReadonlyArray<Pick<Seat, 'wellSince' | 'generation'>>
}

const stuckSeconds = 60
const lookMs = 1_000

export class Detector {
  /** All that may say why. */
  found: string | undefined
  readonly #sql: Sql
  readonly #seats: DetectorParts['seats']
  /** Since when there is a worker for everything: without one, nothing has to go on. */
  #servedSince = performance.now()
  #stopped = false

  constructor({ pool, seats }: DetectorParts) {
    this.#sql = {
      query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
        (await pool.query<Row>(text, values)).rows,
    }
    this.#seats = seats
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

  /** A detector that can't look finds that: nobody would miss it otherwise. */
  async look(): Promise<void> {
    try {
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
