// How a test engine moves: its time, and the worker that is turned until nothing is left to do at that time.
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import { isConnectionLoss } from '../db/database-error.ts'
import type { TestClock } from '../db/test-clock.ts'
import { endLostWorkers, readStanding, type TaskStanding } from '../db/test-runs.ts'
import {
  type HandTurnedWorker,
  type HandTurnedWorkerOptions,
  startHandTurnedWorker,
} from '../worker/worker.ts'

export interface TurnsOptions {
  /** What the worker is told, besides its name and its time. */
  readonly worker: Omit<HandTurnedWorkerOptions, 'name' | 'leaseSeconds' | 'monotonic' | 'now'>
  readonly caller: Caller
  readonly pool: pg.Pool
  readonly clock: TestClock
  /** When its time begins, in milliseconds since 1970. */
  readonly beganMs: number
  readonly patienceMs: number
  /** Called at the end of each turn; what it throws ends them. */
  readonly turned: () => void
}

export const workerName = 'test worker'
const leaseSeconds = 10
/** A lease of the dead, and a moment. */
const leaseOverMs = leaseSeconds * 1_000 + 1_000
/** Real time between two looks while handlers are at work. */
const lookEveryMs = 25
/** A run that starts itself anew for ever would move the time for ever. */
const jumpsMax = 10_000
/** Runs that start one another without a delay would go on for ever at one moment. */
const turnsMax = 2_000
const awayTries = 40

export class Turns {
  readonly #options: TurnsOptions
  #nowMs: number
  #worker: HandTurnedWorker | undefined
  #dying: Promise<void> | undefined
  #last: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(options: TurnsOptions) {
    this.#options = options
    this.#nowMs = options.beganMs
  }

  /** What the database takes for now, in milliseconds since 1970. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** Stops the time, and has a worker registered. */
  async open(): Promise<void> {
    await this.writeTime()
    await this.#workerNow()
  }

  /** Runs what turns the worker or moves the time when what came before has ended: a turn is the whole of a worker. */
  alone(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(() => {
      this.checkOpen()
      return work()
    })
    this.#last = done.catch(() => {})
    return done
  }

  /** @throws MillraceError test_engine_closed */
  checkOpen(): void {
    if (this.#isClosed) throw new MillraceError('test_engine_closed', 'This test engine was closed.')
  }

  /** Ends the worker, and has none follow. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.crash()
  }

  /** Ends the worker without a word; the next turn begins with another one. */
  async crash(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    if (worker !== undefined) this.#dying = worker.die()
    await this.#dying
  }

  /** Lets time pass that the database can't be told of, and in which the worker can't reach it. */
  async missTime(ms: number): Promise<void> {
    this.#nowMs += ms
    await this.#worker?.tick()
  }

  /** Moves the time from one due moment to the next, and works off what is due, until nothing is due before this one. */
  async passTime(untilMs: number): Promise<void> {
    for (let jumps = 0; jumps < jumpsMax || Number.isFinite(untilMs); jumps++) {
      const dueMs = (await this.work()).due_ms
      if (dueMs === null || dueMs > untilMs) return
      await this.moveTo(dueMs)
    }
    throw new MillraceError(
      'test_engine_stuck',
      `The time was moved ${jumpsMax} times, to ${new Date(this.#nowMs).toISOString()}, and something is still to come.`,
    )
  }

  /** Time never goes back: a crash may have taken some more of it. */
  async moveTo(ms: number): Promise<void> {
    if (ms <= this.#nowMs) return
    this.#nowMs = ms
    await this.writeTime()
  }

  /** A database that has just come back may have let go of our connection as well. */
  async writeTime(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#options.clock.freeze(new Date(this.#nowMs))
        return
      } catch (error) {
        if (!isConnectionLoss(error) || tries > awayTries) throw error
        await pause(lookEveryMs)
      }
    }
  }

  /** Turns until a turn begins nothing more and nothing is held; what a dead worker held is taken over when its lease is over. */
  async work(): Promise<TaskStanding> {
    const patience = this.#patience()
    let overdue = Number.POSITIVE_INFINITY
    for (let turns = 0; turns < turnsMax; turns++) {
      if (await this.#turn()) continue
      const { id, begun } = await this.#workerNow()
      const standing = await readStanding(this.#options.caller, id)
      if (standing.held > 0) {
        // An answer was lost: the worker finds out by itself what it holds.
        patience('An answer of the database was lost, and the worker has not found out', `${id} ${begun}`)
        await pause(lookEveryMs)
      } else if (standing.lost > 0) {
        await this.moveTo(this.#nowMs + leaseOverMs)
        await endLostWorkers(this.#options.pool, id)
      }
      // There may be more to do than one turn looks after.
      else if (standing.overdue > 0 && standing.overdue < overdue) overdue = standing.overdue
      else return standing
    }
    throw new MillraceError(
      'test_engine_stuck',
      `In ${turnsMax} turns the worker began something each time, at ${new Date(this.#nowMs).toISOString()}, and goes on.`,
    )
  }

  /** One turn of the worker's loops, to the end of all that it has begun. True where that was something. */
  async #turn(): Promise<boolean> {
    const worker = await this.#workerNow()
    const begun = worker.begun
    await worker.turn()
    await this.#settle(worker)
    worker.rest()
    this.#options.turned()
    return worker.begun !== begun || worker !== this.#worker
  }

  async #settle(worker: HandTurnedWorker): Promise<void> {
    const patience = this.#patience()
    let settled = false
    const settling = worker.settled().then(() => {
      settled = true
    })
    while (!settled && worker === this.#worker) {
      await Promise.race([settling, pause(lookEveryMs)])
      if (settled || worker !== this.#worker) return
      const held = worker.heldSteps
      patience(`${whatHolds(worker)} has not ended`, `${worker.begun} ${held.length}`)
      // The heartbeat tells handlers of runs that were cancelled meanwhile.
      await worker.turn()
    }
  }

  /** To be asked again and again: throws when what it is told to look at has not changed for too long. */
  #patience(): (complaint: string, seen?: string) => void {
    const { patienceMs } = this.#options
    let before: string | undefined
    let since = performance.now()
    return (complaint, seen = '') => {
      if (seen !== before) since = performance.now()
      before = seen
      if (performance.now() - since < patienceMs) return
      throw new MillraceError('test_engine_stuck', `${complaint} for ${patienceMs} ms.`, {
        fields: { patienceMs },
      })
    }
  }

  async #workerNow(): Promise<HandTurnedWorker> {
    await this.#dying
    this.checkOpen()
    if (this.#worker !== undefined) return this.#worker
    const worker = await startHandTurnedWorker({
      ...this.#options.worker,
      name: workerName,
      leaseSeconds,
      // A worker that has heard nothing for a lease stops itself, so its own clock moves with the database's.
      monotonic: () => performance.now() + this.#nowMs - this.#options.beganMs,
      now: () => this.#nowMs,
    })
    this.#worker = worker
    if (this.#isClosed) await this.crash()
    this.checkOpen()
    return worker
  }
}

/** What a turn waits for, in words. */
function whatHolds({ heldSteps, underWay }: HandTurnedWorker): string {
  const names = [...new Set(heldSteps.map(({ pipeline, step }) => `'${step}' of '${pipeline}'`))]
  if (names.length > 0 || underWay.length === 0) return `The handler of ${names.join(', ') || 'a step'}`
  return `What is due of ${underWay.map((kind) => `'${kind}'`).join(', ')}`
}
