// The detector of what is stuck: looks once a second whether something should have gone on, been taken back or been ended long ago.
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { findBrokenInvariants } from '../checker.ts'
import type { Sql } from '../protocol.ts'
import { Calm } from './calm.ts'
import type { Seat } from './fleet.ts'
import { isRefusal, storyOf } from './refusals.ts'
import { dumpStuck, findResting, findStuck, lookAround } from './stuck.ts'

export interface DetectorParts {
  readonly pool: Pick<pg.Pool, 'query'>
  readonly seats: ReadonlyArray<Pick<Seat, 'wellSince' | 'generation'>>
  readonly leaseSeconds: number
  /** How long it has to be calm until all that the dead held has been taken back, and goes on; 15 unless told. What is stuck has been so for twice as much of it. */
  readonly graceSeconds?: number
  /** How long a task may be held beyond its lease where it is calm; 5 unless told. */
  readonly heldSeconds?: number
  /** How long a connection may rest in a transaction where all workers are in order; 5 unless told. One that stands still rests for as long as it does. */
  readonly restingSeconds?: number
}

const stuckSeconds = 60
const lookMs = 1_000
/** What lasts each second would fill the report. */
const brokenMax = 20
const held: ReadonlySet<string> = new Set(['I5'])

export class Detector {
  /** All that may say why. */
  found: string | undefined
  /** Times at which it was calm for long enough to ask whether anything is stuck. */
  looks = 0
  /** What two looks after each other found held, or resting, for too long, in sentences. */
  readonly broken: string[] = []
  readonly calm = new Calm()
  readonly #sql: Sql
  readonly #seats: DetectorParts['seats']
  readonly #seconds: {
    readonly lease: number
    readonly grace: number
    readonly held: number
    readonly resting: number
  }
  #before: ReadonlySet<string> = new Set()
  #stopped = false

  constructor({
    pool,
    seats,
    leaseSeconds,
    graceSeconds = 15,
    heldSeconds = 5,
    restingSeconds = 5,
  }: DetectorParts) {
    this.#sql = {
      query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
        (await pool.query<Row>(text, values)).rows,
    }
    this.#seats = seats
    this.#seconds = { lease: leaseSeconds, grace: graceSeconds, held: heldSeconds, resting: restingSeconds }
  }

  async watch(onFound: () => void): Promise<void> {
    for (; !this.#stopped; await pause(lookMs)) {
      await this.look()
      if (this.found === undefined) continue
      onFound()
      return
    }
  }

  /**
   * Finds nothing stuck before workers could take back what the dead hold, which locks and limits wait for: nobody does so within a lease after its
   * heartbeat was cut off, and here servers fall more often at times. A detector that can't look finds that: nobody would miss it otherwise.
   */
  async look(): Promise<void> {
    try {
      const { at, isConnected } = await lookAround(this.#sql, this.#seconds.lease)
      this.calm.noted(at, isConnected && this.#isServed)
      await this.#findLasting()
      if (this.#isCalmFor(this.#seconds.grace)) await this.#findStuck(at)
    } catch (error) {
      this.calm.noted(Date.now(), false)
      // While the server is away, nothing can be said of anything.
      if (!isRefusal(error)) this.found = `The detector failed: ${storyOf(error)}`
    }
  }

  stop(): void {
    this.#stopped = true
  }

  async #findLasting(): Promise<void> {
    const now = [
      ...(await findResting(this.#sql, this.#areAllWell ? this.#seconds.resting : stuckSeconds)),
      ...(this.#isCalmFor(this.#seconds.held) ? await findBrokenInvariants(this.#sql, [], held) : []),
    ]
    const lasting = now.filter((sentence) => this.#before.has(sentence) && !this.broken.includes(sentence))
    if (this.broken.length < brokenMax) this.broken.push(...lasting)
    this.#before = new Set(now)
  }

  /** What lay there for long while nobody could take it may still have others before it. */
  async #findStuck(at: number): Promise<void> {
    const all = await findStuck(this.#sql, stuckSeconds)
    this.looks++
    const stuck = all.filter(({ since }) => this.calm.within(since, at) >= 2_000 * this.#seconds.grace)
    if (stuck.length === 0) return
    const runs = [...new Set(stuck.map(({ run }) => run))]
    this.found = `${stuck.map(({ run, what }) => `${run}: ${what}`).join('\n')}\n${await dumpStuck(this.#sql, runs)}`
  }

  #isCalmFor(seconds: number): boolean {
    const { lasting } = this.calm
    return lasting !== undefined && lasting >= 1_000 * seconds
  }

  get #isServed(): boolean {
    const well = this.#seats.filter(({ wellSince }) => wellSince !== undefined)
    return new Set(well.map(({ generation }) => generation)).size > 1
  }

  get #areAllWell(): boolean {
    const since = performance.now() - 1_000 * this.#seconds.resting
    return this.#seats.every(({ wellSince }) => wellSince !== undefined && wellSince < since)
  }
}
