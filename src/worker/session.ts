// One life of a worker under one id: from its registration until it stops or is counted as gone.
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createRunIds } from '../core/uuid.ts'
import { translateDatabaseError } from '../db/database-error.ts'
import { readClock } from '../db/diagnosis.ts'
import type { Listener } from '../db/listener.ts'
import { readPackageVersion } from '../db/schema-files.ts'
import type { WorkerKey } from '../db/tasks.ts'
import { registerWorker, stopWorker } from '../db/workers.ts'
import type { HandedOver, LocalEnd, LocalWorker } from '../sdk/local-worker.ts'
import { WorkerArtifacts } from './artifacts.ts'
import { WorkerCache } from './cache.ts'
import { Checkpoints } from './checkpoints.ts'
import { Children } from './children.ts'
import { Claims } from './claims.ts'
import { pause, within, type WorkerConnections } from './connections.ts'
import { attemptDurable, type DurableRoom } from './durable.ts'
import { Flush, isConnectionLost } from './flush.ts'
import { HandlerSql } from './handler-sql.ts'
import { Heartbeats, type WorkerState } from './heartbeats.ts'
import type { HeldTask } from './held-task.ts'
import { HttpCalls } from './http-calls.ts'
import { LanePositions } from './lanes.ts'
import { WorkerLocks } from './locks.ts'
import { BackOffs } from './back-offs.ts'
import { BatchClaims } from './batch-claims.ts'
import { LogLines } from './log-lines.ts'
import { LostAnswers } from './lost-answers.ts'
import { machineOfProcess } from './machine.ts'
import type { WorkerSettings } from './options.ts'
import { heldRow } from './outcome-rows.ts'
import { OutputReader } from './outputs.ts'
import { Releases } from './releases.ts'
import { Reports } from './reports.ts'
import { Running } from './running.ts'
import type { ServedSteps } from './served-steps.ts'
import { SecretReads } from './secret-reads.ts'
import { Slots } from './slots.ts'
import { Troubles } from './troubles.ts'
import { TriggerWork } from '../triggers/trigger-work.ts'
import { triggerTasks } from '../triggers/trigger-tasks.ts'
import { Upkeep } from './upkeep.ts'
import { Wakes } from './wakes.ts'

/** How often, and for how long each time, a stop gives back what is left and waits for the last answers; what is left then is reclaimed. */
const lastTurns = 5
const lastTurnMs = 1_000
/** Between two looks whether lost answers were asked for. */
const doubtMs = 10
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
  readonly #batches: BatchClaims
  readonly #heartbeats: Heartbeats
  readonly #events: SessionEvents
  readonly #newId: () => string
  readonly #wakes: Wakes
  readonly #secrets: SecretReads
  readonly #triggers: TriggerWork
  readonly #ended = new AbortController()
  #state: WorkerState = 'starting'
  #ordered: 'none' | 'paused' | 'draining' = 'none'
  readonly #lostAnswers: LostAnswers
  readonly #releases: Releases
  readonly #troubles: Troubles
  #turning = false
  #batchesFirst = false
  readonly #upkeep: Upkeep

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
    this.#newId = createRunIds({ now: settings.now, random: (n) => randomBytes(n) })
    this.#wakes = new Wakes(settings.random)
    this.#secrets = new SecretReads({
      caller: connections.claims,
      key,
      cipher: settings.cipher,
      environment: process.env,
      monotonic: settings.monotonic,
    })
    const triggerRoom = {
      caller: connections.triggers,
      statements: connections.artifacts,
      handlerPool: connections.handlerPool,
      allowTargets: settings.allowTargets,
      fetch: settings.fetch,
      readSecret: (name: string) => this.#secrets.readForTrigger(name),
      random: settings.random,
    }
    this.#triggers = new TriggerWork(triggerTasks(triggerRoom), {
      failed: (error) => this.#failed(error),
      goesOn: () => this.#state !== 'gone',
    })
    this.#slots = new Slots(settings.slots)
    const lanes = new LanePositions(served.handlerIds.filter((id) => !served.batchHandlerIds.includes(id)))
    const logLines = new LogLines(connections.claims, key)
    const { monotonic } = settings
    const reports = new Reports(connections.claims, key, monotonic)
    this.#troubles = new Troubles(settings.log, monotonic)
    const failed = (error: unknown) => this.#failed(error)
    this.#releases = new Releases({ caller: connections.claims, key, ended: this.#ended.signal, failed })
    this.#lostAnswers = new LostAnswers({
      caller: connections.claims,
      key,
      slots: this.#slots,
      served,
      running: () => this.#running,
      isStopping: () => this.#state === 'draining',
      releases: this.#releases,
      ended: this.#ended.signal,
      asked: () => this.#claims.wake(),
    })
    const durableRoom = this.#durableRoom(failed)
    const handlerSql = new HandlerSql(connections)
    this.#running = new Running({
      served,
      slots: this.#slots,
      outputs: new OutputReader(connections.handlers),
      logLines,
      handlerPool: connections.handlerPool,
      key,
      attemptRoom: {
        sql: (task, text, values) => handlerSql.run(task, text, values),
        log: (task, message, fields) => logLines.add(task, message, fields),
        reports: (task) => reports.of(task),
        storeStacks: settings.storeStacks,
        pooled: connections.pooled,
        cache: new WorkerCache(connections.claims, key, this.#wakes),
        locks: new WorkerLocks(connections.claims, key, this.#wakes),
        backOffs: new BackOffs(connections.claims, key),
        artifacts: new WorkerArtifacts(connections.artifacts, key, settings.artifacts),
        secrets: this.#secrets,
        durable: (task) => attemptDurable(task, durableRoom),
      },
      leaseSeconds: settings.leaseSeconds,
      random: settings.random,
      monotonic,
      newId: this.#newId,
      found: () => this.#claims.wake(),
      ended: this.#ended.signal,
      freed: () => this.#freed(),
      starved: (error) => this.#failed(translateDatabaseError(error, connections.database)),
      uncertain: (tasks) => this.#lostAnswers.doubt(tasks),
    })
    this.#flush = new Flush(connections.outcomes, key, {
      reserve: (tasks) =>
        this.#takes() && tasks.some(({ step }) => step.spreads)
          ? this.#slots.reserve(Math.ceil(settings.slots / 2))
          : 0,
      reserveAll: (wanted) =>
        this.#takes() && this.#slots.free >= wanted ? this.#slots.reserve(wanted) : null,
      giveBack: (reserved) => this.#slots.giveBack(reserved),
      doubt: (tasks) => this.#lostAnswers.doubt(tasks),
      held: () => this.#slots.heldCount,
      watched: (task) => this.#running.isWatched(task),
      called: (task) => this.#running.isCalled(task),
      completed: (tasks, answers, reserved) => this.#running.completed(tasks, answers, reserved),
      failed: (tasks, answers) => this.#running.failed(tasks, answers),
      parked: (tasks, answers, started, reserved) => this.#running.parked(tasks, answers, started, reserved),
      continued: (tasks) => this.#running.continued(tasks),
      refused: (task, error) => this.#refused(task, error),
      broken: (error) => this.#broken(error),
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
      woken: () => this.#batches.wake(),
      looked: () => this.#batches.look(),
      failed,
      lost: (error, reserved) => this.#lost(error, reserved),
      monotonic,
    })
    this.#batches = new BatchClaims({
      caller: connections.claims,
      key,
      slots: this.#slots,
      handlers: served.batchHandlerIds,
      begin: (batches) => this.#running.beginBatches(batches),
      takes: () => this.#takes(),
      lost: (error, reserved) => this.#lost(error, reserved),
      looked: () => this.#claims.look(),
    })
    this.#upkeep = new Upkeep({
      writes: connections.upkeep,
      artifacts: connections.artifacts,
      store: settings.artifacts,
      key,
      random: settings.random,
      ended: this.#ended.signal,
      failed,
    })
    this.#heartbeats = new Heartbeats({
      caller: connections.heartbeat,
      key,
      settings,
      slots: this.#slots,
      lanes,
      running: this.#running,
      claims: this.#claims,
      connectedAt: connections.connectedAt,
      locked: () => listener.locked,
      monotonic,
      ordered: (order) => this.#order(order),
      gone: (reason) => this.#gone(reason),
      redrive: () => this.#upkeep.redrive(),
      triggered: (kind) => this.#triggers.due(kind),
      lost: (error, reserved) => this.#lost(error, reserved),
      recovered: () => this.#recovered(),
      beaten: () => this.#batches.wake(),
      stateNow: () => this.state,
    })
  }

  #durableRoom(failed: (error: unknown) => void): DurableRoom {
    const { checkpointPool: pool, handlers, writes, prepare } = this.#connections
    const { random, now, storeStacks } = this.#settings
    return {
      checkpoints: new Checkpoints({
        pool,
        prepare,
        caller: handlers,
        writes,
        key: this.#key,
        random,
        failed,
      }),
      children: new Children(writes, this.#newId, this.#settings.cipher),
      httpCalls: new HttpCalls({
        caller: writes,
        key: this.#key,
        now,
        environment: process.env,
      }),
      now: () => readClock(handlers),
      random,
      storeStacks,
    }
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
    if (this.#settings.byHand) return
    await this.#heartbeats.tick()
    this.#heartbeats.start()
    this.#claims.look()
    this.#upkeep.start()
  }

  /** One turn of the heartbeat loop, now. */
  tick(): Promise<void> {
    return this.#heartbeats.tick()
  }

  /** Something was notified: look at once. */
  wake(): void {
    this.#claims.wake()
  }

  /** Something of this kind, of what starts runs by itself, was notified. */
  triggered(kind: string): void {
    if (!this.#settings.byHand) this.#triggers.due(kind)
  }

  /** What some attempt here waits for was notified. */
  heard(name: string): void {
    this.#wakes.heard(name)
  }

  /** Stops claiming, waits for what runs, gives back what is left after `drainMs`, and leaves. */
  async drain(drainMs: number, forced: AbortSignal): Promise<void> {
    this.#state = 'draining'
    this.#claims.stop()
    this.#batches.stop()
    const waited = pause(drainMs, AbortSignal.any([forced, this.#ended.signal]))
    await Promise.race([this.#heartbeats.tick(), waited])
    await Promise.race([this.#slots.empty(), waited])
    for (let turn = 0; turn < lastTurns && !this.#hasNothingLeft; turn++) {
      this.giveBackHeld('the worker stops')
      const answers = [this.#releases.answered(), this.#slots.empty(), this.#certain()]
      await within(lastTurnMs, Promise.all(answers))
    }
    await this.#end('it was stopped')
  }

  /**
   * What still runs is told to stop and given back: no failure is counted, others may take it at once. What others have taken already is answered as lost,
   * and what is reported stays, since the database says what becomes of that. Answers with how many these were.
   */
  giveBackHeld(reason: string): number {
    const left = [...this.#slots.held()].filter((task) => !task.reported)
    for (const task of left) this.#running.lose(task, reason)
    this.#releases.add(left.map(heldRow))
    return left.length
  }

  /** By hand: begins a turn, in which it takes what it finds until it is told to rest. Called again, it prolongs the lease and looks again. */
  async turn(): Promise<void> {
    this.#turning = true
    await this.#heartbeats.tick()
    this.#claims.wake()
  }

  /** By hand: takes nothing until the next turn. */
  rest(): void {
    this.#turning = false
  }

  /** When nothing is held, looked for or written any more. */
  async settled(): Promise<void> {
    do {
      await this.#slots.empty()
      // What an answer has set going shows itself by then; what a lost one brought, once it was asked for.
      await (this.#isInDoubt ? pause(doubtMs, this.#ended.signal) : nextTurn())
    } while (
      !this.#slots.isEmpty ||
      this.#isInDoubt ||
      this.#claims.busy ||
      this.#batches.busy ||
      this.#flush.busy ||
      this.underWay.length > 0
    )
  }

  get #isInDoubt(): boolean {
    return this.#slots.doubted > 0 && this.#state !== 'gone'
  }

  /** When lost answers were asked for, or the worker has left. */
  async #certain(): Promise<void> {
    while (this.#isInDoubt) await pause(doubtMs, this.#ended.signal)
  }

  /** Whether nothing is held, on its way to it, or on its way back, so that its end takes nothing from anybody. */
  get #hasNothingLeft(): boolean {
    if (this.#ended.signal.aborted) return true
    return this.#slots.isEmpty && this.#releases.isAnswered && !this.#isInDoubt
  }

  get attempts(): number {
    return this.#running.begun
  }

  /** How many attempts it has begun, and how often it has worked off what starts runs by itself or what is to be redriven. */
  get begun(): number {
    return this.#running.begun + this.#triggers.done + this.#upkeep.redriven
  }

  /** What it works off beside its tasks at present. */
  get underWay(): readonly string[] {
    return [...this.#triggers.underWay, ...(this.#upkeep.isRedriving ? ['redrive'] : [])]
  }

  /** The steps of the tasks that it holds. */
  get heldSteps(): Array<{ readonly pipeline: string; readonly step: string; readonly runId: string }> {
    return [...this.#slots.held()].map(({ step, run }) => ({
      pipeline: step.slug,
      step: step.name,
      runId: run.id,
    }))
  }

  /** Ends at once and without a word, as a killed process does. */
  async die(reason: string): Promise<void> {
    this.#leave()
    for (const task of [...this.#slots.held()]) this.#running.lose(task, reason)
    this.#connections.cut()
    await this.#heartbeats.stop()
  }

  /** Ends at once. Where the database doesn't count it as gone yet, it does so now: what it held is free for others. */
  async abandon(reason: string): Promise<void> {
    await this.die(reason)
    // What its cut connections left on the server may hold it up: then the sweep of another ends it.
    await within(
      lastTurns * lastTurnMs,
      stopWorker(this.#connections.claims, this.#key, reason).catch(() => {}),
    )
  }

  serves(slug: string, version: number | null): boolean {
    return this.#served.versions.get(slug) === version
  }

  get free(): number {
    return this.#takes() ? this.#slots.free : 0
  }

  reserve(wanted: number) {
    if (!this.#takes() || this.#slots.free < wanted) return undefined
    return { ...this.#key, room: this.#slots.reserve(wanted) }
  }

  take(reserved: number, tasks: readonly HandedOver[]): void {
    this.#slots.giveBack(reserved)
    this.#running.beginHandedOver(tasks)
    if (tasks.length === 0) this.#claims.wake()
    else this.#claims.look()
  }

  lostAnswer(reserved: number): void {
    this.#slots.giveBack(reserved)
    this.#lostAnswers.doubt(reserved)
  }

  watch(runId: string, ended: (end: LocalEnd) => void) {
    return this.#running.watch(runId, ended)
  }

  #takes(): boolean {
    if (this.#settings.byHand && !this.#turning) return false
    return this.#state === 'running' && this.#ordered === 'none'
  }

  /** A slot is free: whoever had the last one comes last. */
  #freed(): void {
    this.#batchesFirst = !this.#batchesFirst
    if (this.#batchesFirst) this.#batches.look()
    this.#claims.look()
    this.#batches.look()
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

  async #end(reason: string): Promise<void> {
    this.#leave()
    // A beat that nobody answers would keep the one connection for a whole lease.
    if (!(await within(lastTurnMs, this.#heartbeats.stop()))) this.#connections.cut('heartbeat')
    await within(
      lastTurns * lastTurnMs,
      stopWorker(this.#connections.heartbeat, this.#key, reason).catch(() => {}),
    )
  }

  #leave(): void {
    this.#state = 'gone'
    this.#ended.abort()
    this.#claims.stop()
    this.#batches.stop()
    this.#running.close()
    void this.#secrets.close()
  }

  /** A call has failed that brings no tasks. Once it has left, its connections end under the calls that are still on their way: no trouble of the database. */
  #failed(error: unknown): void {
    if (this.#state !== 'gone') this.#troubles.failed(error)
  }

  /** A call that had so many slots set aside has no answer, or was refused and has brought nothing. */
  #lost(error: unknown, reserved: number): void {
    this.#slots.giveBack(reserved)
    if (isConnectionLost(error)) this.#lostAnswers.doubt(reserved)
    this.#failed(error)
  }

  #recovered(): void {
    this.#troubles.tell({ level: 'info', message: 'The database answers again.' })
    this.#lostAnswers.ask()
  }

  #refused(task: HeldTask, error: unknown): void {
    if (!task.lost)
      this.#troubles.tell({
        level: 'error',
        message: `The outcome of a step was refused: ${(error as Error).message}`,
      })
    this.#running.refused(task, error)
  }

  #broken(error: unknown): void {
    const { message } = error as Error
    this.#troubles.tell({
      level: 'error',
      message: `An answer of the database could not be worked off: ${message}`,
    })
    this.#lostAnswers.ask()
  }

  /** Nobody knows whether a batch was recorded. It is sent again: what was recorded is answered as lost, and what came next is asked for. */
  async #uncertain(error: unknown): Promise<void> {
    this.#failed(error)
    if (isConnectionLost(error)) this.#lostAnswers.ask()
    await pause(100 + this.#settings.random() * 200, this.#ended.signal)
    if (this.#state === 'gone') throw new Error('the worker is gone')
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
    machine: machineOfProcess(),
  })
  return { workerId, lockKey }
}
