// The heartbeat loop: one call twice a second that holds the lease, and what its answers lead to.
import type { Caller } from '../db/call.ts'
import type { ClaimedTask, WorkerKey } from '../db/tasks.ts'
import { type HeartbeatAnswerRow, heartbeatWorker } from '../db/workers.ts'
import type { Claims } from './claims.ts'
import type { HeldTask } from './held-task.ts'
import type { LanePositions } from './lanes.ts'
import type { WorkerSettings } from './options.ts'
import type { Running } from './running.ts'
import type { Slots } from './slots.ts'

export type WorkerState = 'starting' | 'idle' | 'running' | 'paused' | 'draining' | 'gone'

export interface HeartbeatParts {
  readonly caller: Caller
  readonly key: WorkerKey
  readonly settings: WorkerSettings
  readonly slots: Slots
  readonly lanes: LanePositions
  readonly running: Running
  readonly claims: Claims
  /** When the connection of heartbeats was made. */
  readonly connectedAt: () => number
  /** Whether the liveness lock is held at present. */
  readonly locked: () => boolean
  /** Monotonic milliseconds: the worker's own clock serves nothing but the time since its last heartbeat. */
  readonly monotonic: () => number
  readonly ordered: (order: 'none' | 'paused' | 'draining') => void
  /** The database counts this worker as gone, or it must count itself so. */
  readonly gone: (reason: string) => void
  /** There are runs to redrive. */
  readonly redrive: () => void
  /** Something of this kind is due that starts runs by itself. */
  readonly triggered: (kind: string) => void
  /** A call that had so many slots set aside has no answer. */
  readonly lost: (error: unknown, reserved: number) => void
  /** An answer came after failures: what was missed meanwhile must be asked for. */
  readonly recovered: () => void
  /** An answer has been worked off. */
  readonly beaten: () => void
  readonly stateNow: () => WorkerState
}

/**
 * For so much of its lease it takes itself for alive, by its own clock: that may go slower than the database's, and a busy process hears
 * its timers late.
 */
const leaseKept = 0.9
/** Where one sleeper after the other is due, they wake in groups. */
const dueMsMin = 100

export class Heartbeats {
  readonly #parts: HeartbeatParts
  #timer: NodeJS.Timeout | undefined
  #deadline: NodeJS.Timeout | undefined
  #beating: Promise<void> | undefined
  #beatAt: number
  /** How soon the next task is due, by the last answer. */
  #dueMs = Number.POSITIVE_INFINITY
  #failing = false
  #stopped = false

  constructor(parts: HeartbeatParts) {
    this.#parts = parts
    this.#beatAt = parts.monotonic()
  }

  /** Workers that were started together begin anywhere in the time between two beats, and so stay apart. */
  start(): void {
    const { heartbeatMs, random } = this.#parts.settings
    this.#schedule(heartbeatMs * random())
    this.#watchLease()
  }

  /** One turn of the loop, now; joins the one under way. */
  tick(): Promise<void> {
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = undefined
    })
    return this.#beating
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    clearTimeout(this.#deadline)
    await this.#beating
  }

  #schedule(most?: number): void {
    if (this.#stopped) return
    const { heartbeatMs, random } = this.#parts.settings
    // A task that sleeps wakes on time. Jitter, so that workers that were started together don't sweep together.
    const wait = Math.min(most ?? heartbeatMs * (0.9 + random() * 0.2), Math.max(this.#dueMs, dueMsMin))
    this.#timer = setTimeout(() => void this.tick().finally(() => this.#schedule()), wait)
  }

  /** How long it goes on with no answer. */
  get #keptMs(): number {
    return this.#parts.settings.leaseSeconds * 1_000 * leaseKept
  }

  /**
   * Nobody can have reclaimed its tasks before the lease was over; nobody may find it running them after. So it counts itself as
   * gone before that, also while an answer is outstanding on a connection that only looks alive.
   */
  #watchLease(): void {
    if (this.#stopped) return
    const left = this.#beatAt + this.#keptMs - this.#parts.monotonic()
    if (left <= 0) this.#parts.gone('its lease was all but over while the database did not answer')
    // One that stops already stays under its id, and may be heard again.
    if (!this.#stopped)
      this.#deadline = setTimeout(() => this.#watchLease(), left > 0 ? left + 1 : this.#keptMs)
    this.#deadline?.unref()
  }

  async #beat(): Promise<void> {
    const { caller, key, slots, lanes, claims, monotonic } = this.#parts
    const sentAt = monotonic()
    const sleeping = claims.sleeping
    const state = this.#parts.stateNow()
    const takes = state === 'idle' || state === 'running' || state === 'starting'
    const held = [...slots.held()].filter((task) => !task.reported)
    // A quarter at most: a start in this process must find slots while the heartbeat is under way.
    const reserved = takes ? slots.reserve(Math.min(slots.free, Math.ceil(slots.size / 4))) : 0
    const look = lanes.lanes(monotonic())
    let rows: readonly HeartbeatAnswerRow[]
    try {
      rows = await heartbeatWorker(caller, key, {
        state: state === 'gone' ? 'draining' : state,
        sleeping,
        locked: this.#parts.locked(),
        held,
        sweep: this.#judges(),
        room: reserved,
        lanes: look,
      })
    } catch (error) {
      this.#failing = true
      this.#parts.lost(error, reserved)
      if (monotonic() - this.#beatAt >= this.#keptMs)
        this.#parts.gone('its lease was all but over while the database could not be reached')
      return
    }
    // The lease counts from a moment after this one.
    this.#beatAt = sentAt
    if (claims.sleeping && !sleeping) claims.sleepAgain()
    if (this.#failing) this.#parts.recovered()
    this.#failing = false
    this.#answer(rows, reserved, look.full, held)
  }

  /**
   * Who has not been connected for a lease judges nobody by locks: it can't know who was cut off with it. The rest of a sweep comes with each heartbeat.
   * By hand the leases are over when a test says so.
   */
  #judges(): boolean {
    const { settings, monotonic, connectedAt } = this.#parts
    return settings.byHand || monotonic() - connectedAt() >= settings.leaseSeconds * 1_000
  }

  #answer(
    rows: readonly HeartbeatAnswerRow[],
    asked: number,
    full: boolean,
    held: readonly HeldTask[],
  ): void {
    const tasks: ClaimedTask[] = []
    let looks = false
    this.#dueMs = Number.POSITIVE_INFINITY
    for (const row of rows) {
      if (row.kind === 'task') tasks.push(row)
      else if (row.kind === 'order') this.#parts.ordered(row.detail)
      else if (row.kind === 'due') this.#dueMs = Math.min(this.#dueMs, Number(row.detail))
      else if (row.kind === 'look') looks = true
      else if (row.kind === 'redrive') this.#parts.redrive()
      else if (row.kind === 'trigger') this.#parts.triggered(row.detail)
      else if (row.kind === 'gone') this.#parts.gone('it was taken for gone and swept')
      else this.#settle(row, held)
    }
    this.#parts.claims.found(tasks, asked, full)
    if (looks) this.#parts.claims.wake()
    this.#parts.beaten()
  }

  /** The answer may cross one that reported the task or gave it its next attempt: only what is still the same is touched. */
  #settle(
    row: { kind: 'lost' | 'abort'; detail: string | null; task_id: number },
    held: readonly HeldTask[],
  ): void {
    const task = held.find(({ taskId }) => taskId === row.task_id)
    if (task === undefined || task.reported || this.#parts.slots.get(row.task_id) !== task) return
    if (row.kind === 'lost') this.#parts.running.lose(task, 'the lease was lost')
    else
      this.#parts.running.abort(
        task,
        row.detail === 'cancelled' ? 'the run was cancelled' : 'the run has failed',
      )
  }
}
