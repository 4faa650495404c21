// What a worker does for all of them, beside its tasks: partitions ahead, retention, the chain of the audit trail, runs that are to be redriven, and neighbours that died.
import { sealAuditTrail } from '../db/audit-trail.ts'
import type { Caller } from '../db/call.ts'
import { isHeldUp } from '../db/database-error.ts'
import { createPartitions, pruneHistory } from '../db/history.ts'
import { workRedrives } from '../db/redrives.ts'
import type { WorkerKey } from '../db/tasks.ts'
import type { ArtifactStore } from '../sdk/artifact-store.ts'
import { pause } from './connections.ts'
import { isBlocked } from './flush.ts'
import { clearAway } from './housekeeping.ts'
import { endDeadNeighbours } from './machine.ts'

const maintainEveryMs = 600_000
/** Where the tables of the history were in use when a partition was to be made. */
const maintainAgainMs = 2_000
const weeksAhead = 4
const pruneBatch = 1_000
/** Entries of the audit trail that are put into its chain at once. */
const sealBatch = 1_000
/** A transaction of this size is over before anybody misses the runs that it has locked. */
const redriveBatch = 200

export interface UpkeepParts {
  readonly writes: Caller
  /** For what clears away bytes. */
  readonly artifacts: Caller
  readonly store: ArtifactStore | undefined
  readonly key: WorkerKey
  readonly random: () => number
  /** Fires when the worker has left. */
  readonly ended: AbortSignal
  readonly failed: (error: unknown) => void
}

export class Upkeep {
  readonly #parts: UpkeepParts
  #redriving = false
  #redriven = 0

  constructor(parts: UpkeepParts) {
    this.#parts = parts
  }

  start(): void {
    this.#endDeadNeighbours()
    void this.#maintain()
  }

  /** What people ordered to be redriven, batch by batch, beside the heartbeats; any worker may do it, and one at a time does. */
  redrive(): void {
    if (this.#redriving) return
    this.#redriving = true
    const { writes, failed } = this.#parts
    void this.#goOn(async () => {
      const { worked, more } = await workRedrives(writes, redriveBatch)
      if (worked > 0) this.#redriven++
      return more
    })
      .catch(failed)
      .finally(() => {
        this.#redriving = false
      })
  }

  get isRedriving(): boolean {
    return this.#redriving
  }

  /** How many batches it has looked after that had something to redrive. */
  get redriven(): number {
    return this.#redriven
  }

  /** What a worker of this machine held that was killed just before is not to wait for its lease. Where it can't be told now, that is what frees it. */
  #endDeadNeighbours(): void {
    const { writes, key, ended, failed } = this.#parts
    void endDeadNeighbours(writes, key, ended).catch((error) => {
      if (!ended.aborted && !isBlocked(error)) failed(error)
    })
  }

  /** Partitions ahead and retention, now and then; any worker may do it, and one at a time does. */
  async #maintain(): Promise<void> {
    const { writes, artifacts, store, random, ended, failed } = this.#parts
    while (!ended.aborted) {
      let everyMs = maintainEveryMs
      // One by one, and none left undone because another one failed.
      for (const work of [
        async () => {
          if ((await createPartitions(writes, weeksAhead)) === null) everyMs = maintainAgainMs
        },
        () => this.#goOn(async () => (await pruneHistory(writes, pruneBatch)).more),
        () => this.#goOn(async () => (await sealAuditTrail(writes, sealBatch)) === sealBatch),
        () => clearAway(artifacts, store, () => !ended.aborted, failed),
      ])
        if (!ended.aborted)
          await work().catch((error) => {
            // Another worker is at it, or somebody's transaction in the way. What took too long itself would take as long again.
            if (isHeldUp(error)) everyMs = maintainAgainMs
            else failed(error)
          })
      await pause(everyMs * (0.5 + random()), ended)
    }
  }

  /** Bounded transactions, as many as it takes: what comes in between two turns must not grow for ever. */
  async #goOn(turn: () => Promise<boolean>): Promise<void> {
    while (!this.#parts.ended.aborted && (await turn()));
  }
}
