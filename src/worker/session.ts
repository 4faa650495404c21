// One life of a worker under one id: from its registration until it stops or is counted as gone.
import { hostname } from 'node:os'
import { createPartitions, pruneHistory } from '../db/history.ts'
import type { Listener } from '../db/listener.ts'
import { readPackageVersion } from '../db/schema-files.ts'
import { taggedSql } from '../db/sql-tag.ts'
import { listHeldTasks, releaseTasks, type WorkerKey } from '../db/tasks.ts'
import { registerWorker, stopWorker } from '../db/workers.ts'
import type { HandedOver, LocalEnd, LocalWorker } from '../sdk/local-worker.ts'
import { Claims } from './claims.ts'
import { type WorkerConnections, pause } from './connections.ts'
import { Flush, isPassing } from './flush.ts'
import { Heartbeats, type WorkerState } from './heartbeats.ts'
import { LanePositions } from './lanes.ts'
import { LogLines } from './log-lines.ts'
import type { WorkerSettings } from './options.ts'
import { OutputReader } from './outputs.ts'
import { Running } from './running.ts'
import type { ServedSteps } from './served-steps.ts'
import { Slots } from './slots.ts'

const maintainEveryMs = 600_000
const weeksAhead = 4

export interface SessionEvents {
  readonly gone: (reason: string) => void
  readonly drainOrdered: () => void
}

export class WorkerSession implements LocalWorker {
  readonly id: string
  readonly #key: WorkerKey
  readonly #settings: WorkerSettings
  readonly #served: ServedSteps
  readonly #connections: WorkerConnections
  readonly #slots: Slots
  readonly #running: Running
  readonly #flush: Flush
  readonly #claims: Claims
  readonly #heartbeats: Heartbeats
  readonly #events: SessionEvents
  readonly #ended = new AbortController()
  #state: WorkerState = 'starting'
  #ordered: 'none' | 'paused' | 'draining' = 'none'
  #reconcileWanted = false
  #idle: Array<() => void> = []
  #maintenance: NodeJS.Timeout | undefined

  constructor(
    key: WorkerKey,
    settings: WorkerSettings,
    served: ServedSteps,
    connections: WorkerConnections,
    listener: Listener,
    events: SessionEvents,
  ) {
    this.id = key.workerId
    this.#key = key
    this.#settings = settings
    this.#served = served
    this.#connections = connections
    this.#events = events
    this.#slots = new Slots(settings.slots)
    const lanes = new LanePositions(served.handlerIds)
    const logLines = new LogLines(connections.claims, key)
    const monotonic = () => performance.now()
    const failed = (error: unknown) => this.#failed(error)
    this.#running = new Running({
      served,
      slots: this.#slots,
      outputs: new OutputReader(connections.handlers),
      logLines,
      handlerPool: connections.handlerPool,
      key,
      attemptRoom: {
        sql: taggedSql(connections.handlers),
        log: (task, message, fields) => logLines.add(task, message, fields),
        storeStacks: settings.storeStacks,
      },
      random: settings.random,
      freed: () => this.#freed(),
      uncertain: () => this.#wantReconcile(),
    })
    this.#flush = new Flush(connections.outcomes, key, {
      room: () => (this.#takes() ? this.#slots.free : 0),
      completed: (tasks, answers) => this.#running.completed(tasks, answers),
      failed: (tasks, answers) => this.#running.failed(tasks, answers),
      refused: (task, error) => this.#running.refused(task, error),
      uncertain: (error) => this.#uncertain(error),
    })
    this.#running.reportTo(this.#flush)
    this.#claims = new Claims({
      caller: connections.claims,
      key,
      slots: this.#slots,
      lanes,
      begin: (tasks) => this.#running.begin(tasks),
      takes: () => this.#takes(),
      failed,
      monotonic,
    })
    this.#heartbeats = new Heartbeats({
      caller: connections.heartbeat,
      key,
      settings,
      slots: this.#slots,
      lanes,
      running: this.#running,
      claims: this.#claims,
      locked: () => listener.locked,
      monotonic,
      ordered: (order) => this.#order(order),
      gone: (reason) => this.#gone(reason),
      failed,
      recovered: () => this.#wantReconcile(),
      stateNow: () => this.state,
    })
  }

  get state(): WorkerState {
    if (this.#state !== 'running') return this.#state
    if (this.#ordered === 'paused') return 'paused'
    return this.#slots.heldCount > 0 ? 'running' : 'idle'
  }

  /** How many tasks it holds. */
  get held(): number {
    return this.#slots.heldCount
  }

  async start(): Promise<void> {
    this.#state = 'running'
    await this.#heartbeats.tick()
    this.#heartbeats.start()
    this.#claims.look()
    this.#maintain()
  }

  /** One turn of the heartbeat loop, now. */
  tick(): Promise<void> {
    return this.#heartbeats.tick()
  }

  /** Something was notified: look at once. */
  wake(): void {
    this.#claims.wake()
  }

  /** Stops claiming, waits for what runs, gives back what is left after `drainMs`, and leaves. */
  async drain(drainMs: number, forced: AbortSignal): Promise<void> {
    this.#state = 'draining'
    await this.#heartbeats.tick()
    // Ended by #end too: a timer that is left would keep the process alive for all of drainMs.
    await Promise.race([this.#empty(), pause(drainMs, AbortSignal.any([forced, this.#ended.signal]))])
    await this.#giveBack()
    await this.#flush.settled()
    await this.#end('it was stopped')
  }

  /** Ends at once without a word to the database, which counts it as gone already. */
  async abandon(reason: string): Promise<void> {
    this.#state = 'gone'
    for (const task of [...this.#slots.held()]) this.#running.lose(task, reason)
    await this.#close()
  }

  serves(slug: string, version: number | null): boolean {
    return this.#served.versions.get(slug) === version
  }

  reserve(wanted: number) {
    if (!this.#takes() || this.#slots.free < wanted) return undefined
    return { ...this.#key, room: this.#slots.reserve(wanted) }
  }

  take(reserved: number, tasks: readonly HandedOver[]): void {
    this.#slots.giveBack(reserved)
    this.#running.beginHandedOver(tasks)
    if (tasks.length === 0) this.#claims.wake()
  }

  lostAnswer(reserved: number): void {
    this.#slots.giveBack(reserved)
    this.#wantReconcile()
  }

  watch(runId: string, ended: (end: LocalEnd) => void): boolean {
    return this.#running.watch(runId, ended)
  }

  unwatch(runId: string): void {
    this.#running.unwatch(runId)
  }

  #takes(): boolean {
    return this.#state === 'running' && this.#ordered === 'none'
  }

  #order(order: 'none' | 'paused' | 'draining'): void {
    if (order === this.#ordered) return
    this.#ordered = order
    if (order === 'none') this.#claims.wake()
    if (order === 'draining') this.#events.drainOrdered()
  }

  #gone(reason: string): void {
    if (this.#state === 'gone') return
    this.#events.gone(reason)
  }

  #freed(): void {
    this.#claims.look()
    if (this.#slots.heldCount === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  #empty(): Promise<void> {
    if (this.#slots.heldCount === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** What still runs is told to stop and given back: no failure is counted, others may take it at once. */
  async #giveBack(): Promise<void> {
    const left = [...this.#slots.held()].filter((task) => !task.reported)
    if (left.length === 0) return
    const rows = left.map(({ taskId, step, attempt }) => ({ taskId, stepId: step.id, attempt }))
    for (const task of left) this.#running.lose(task, 'the worker stops')
    await releaseTasks(this.#connections.claims, this.#key, rows, 'the worker was stopped').catch((error) => this.#failed(error))
  }

  async #end(reason: string): Promise<void> {
    this.#state = 'gone'
    await this.#close()
    await stopWorker(this.#connections.heartbeat, this.#key, reason).catch(() => {})
  }

  async #close(): Promise<void> {
    this.#ended.abort()
    clearTimeout(this.#maintenance)
    this.#claims.stop()
    await this.#heartbeats.stop()
  }

  #failed(error: unknown): void {
    if (!isPassing(error)) {
      this.#settings.log({ level: 'error', message: `The database refused a call: ${(error as Error).message}` })
    }
    this.#wantReconcile()
  }

  /** Nobody knows whether a batch was recorded. It is sent again: what was recorded is answered as lost, and what came next is asked for. */
  async #uncertain(_error: unknown): Promise<void> {
    this.#wantReconcile()
    await pause(100 + this.#settings.random() * 200, this.#ended.signal)
    if (this.#state === 'gone') throw new Error('the worker is gone')
  }

  #wantReconcile(): void {
    if (this.#reconcileWanted || this.#state === 'gone') return
    this.#reconcileWanted = true
    setTimeout(() => void this.#reconcile(), 50).unref()
  }

  /** Asks what it holds, and begins what it does not know of: the answer that brought it was lost. */
  async #reconcile(): Promise<void> {
    this.#reconcileWanted = false
    if (this.#state === 'gone') return
    try {
      // An answer under way may be about the same tasks: first let it come.
      await this.#flush.settled()
      this.#running.begin(await listHeldTasks(this.#connections.claims, this.#key))
      this.#claims.wake()
    } catch (error) {
      if (isPassing(error)) this.#wantReconcileLater()
    }
  }

  #wantReconcileLater(): void {
    void pause(1_000, this.#ended.signal).then(() => this.#wantReconcile())
  }

  /** Partitions ahead and retention, now and then; any worker may do it, and one at a time does. */
  #maintain(): void {
    const work = async () => {
      await createPartitions(this.#connections.claims, weeksAhead)
      await pruneHistory(this.#connections.claims, 1_000)
    }
    void work()
      .catch((error) => this.#failed(error))
      .finally(() => {
        if (this.#state === 'gone') return
        this.#maintenance = setTimeout(() => this.#maintain(), maintainEveryMs * (0.5 + this.#settings.random()))
        this.#maintenance.unref()
      })
  }
}

/** Registers a worker under a fresh id. */
export async function registerSession(
  workerId: string,
  settings: WorkerSettings,
  served: ServedSteps,
  connections: WorkerConnections,
): Promise<WorkerKey> {
  const lockKey = await registerWorker(connections.claims, {
    workerId,
    name: settings.name,
    host: hostname(),
    processId: process.pid,
    version: await readPackageVersion(),
    slots: settings.slots,
    queues: settings.queues,
    handlers: served.handlerIds,
    leaseSeconds: settings.leaseSeconds,
  })
  return { workerId, lockKey }
}
