// A worker process: connects for as long as it takes, keeps one session after the other, and stops in good order.
import { randomUUID } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import { count } from '../core/wording.ts'
import { Listener } from '../db/listener.ts'
import { checkSchemaOf } from '../db/schema-check.ts'
import type { SafeFetch } from '../net/safe-fetch.ts'
import { addLocalWorker, removeLocalWorker } from '../sdk/local-worker.ts'
import { registerTriggers } from '../triggers/register-triggers.ts'
import { connectedAtLast, openConnections, pause, type WorkerConnections } from './connections.ts'
import type { WorkerState } from './heartbeats.ts'
import { type WorkerOptions, type WorkerSettings, workerSettings } from './options.ts'
import { registerSteps, type ServedSteps } from './served-steps.ts'
import { registerSession, WorkerSession } from './session.ts'

export interface Worker {
  /** Changes when the worker had been counted as gone and came back. */
  readonly id: string
  readonly state: WorkerState
  /** How many tasks it holds. */
  readonly held: number
  /** The pipelines that it serves, with the version of its code. */
  readonly serves: ReadonlyMap<string, number>
  /** One turn of the heartbeat loop, now: prolongs the lease, sweeps, promotes what is due, and claims. */
  tick(): Promise<void>
  /**
   * Stops claiming, lets running steps finish for `drainMs`, gives the rest back and ends. Called again with force, it
   * gives back at once what still runs.
   */
  stop(options?: { readonly force?: boolean }): Promise<void>
  /** When it has stopped, by whatever order. */
  readonly stopped: Promise<void>
}

const registerAgainMs = 5_000

/**
 * Starts a worker in this process and waits until it claims. A database that is not there yet is waited for.
 *
 * @throws MillraceError database_login_refused, database_missing, worker_option_invalid, schema_missing, schema_outdated, schema_newer, graph_invalid, sql_schema_refused
 */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const worker = new WorkerProcess(workerSettings(options))
  await worker.start()
  return worker
}

/** A worker that can be stopped before it serves, and says how many attempts it has begun. */
export interface BegunWorker extends Worker {
  readonly attempts: number
}

/** As startWorker, for somebody who doesn't wait as long as it takes: a stop ends the waiting, and `serving` rejects. */
export function beginWorker(options: WorkerOptions): {
  readonly worker: BegunWorker
  readonly serving: Promise<void>
} {
  const worker = new WorkerProcess(workerSettings(options))
  return { worker, serving: worker.start() }
}

/** A worker for tests: between two turns it does nothing, and it can die as a killed process does. */
export interface HandTurnedWorker {
  readonly id: string
  /** How many attempts it has begun. */
  readonly begun: number
  /** The steps of the tasks that it holds. */
  readonly heldSteps: WorkerSession['heldSteps']
  /** What it works off beside them. */
  readonly underWay: WorkerSession['underWay']
  /** Begins a turn, or looks again within one. */
  turn(): Promise<void>
  /** One heartbeat. */
  tick(): Promise<void>
  /** When nothing is held, looked for or written any more. */
  settled(): Promise<void>
  /** Ends the turn. */
  rest(): void
  /** Ends its connections where they stand, and says nothing to the database. */
  die(): Promise<void>
  stop(options?: { readonly force?: boolean }): Promise<void>
}

export interface HandTurnedWorkerOptions extends WorkerOptions {
  /** How callbacks and pings go out. */
  readonly fetch: SafeFetch
}

/** Starts a worker that is turned by hand. It hears no notification and holds no liveness lock, so nothing but a turn moves it. */
export async function startHandTurnedWorker({
  fetch,
  ...options
}: HandTurnedWorkerOptions): Promise<HandTurnedWorker> {
  const worker = new WorkerProcess({ ...workerSettings(options), fetch, byHand: true })
  await worker.start()
  return worker
}

class WorkerProcess implements BegunWorker, HandTurnedWorker {
  readonly #settings: WorkerSettings
  readonly #stopping = new AbortController()
  readonly #forced = new AbortController()
  readonly #isForced: Promise<void>
  #connections: WorkerConnections | undefined
  #listener: Listener | undefined
  #served: ServedSteps | undefined
  #session: WorkerSession | undefined
  #starting: Promise<void> | undefined
  #beginningAnew: Promise<void> | undefined
  /** How many attempts it began under earlier ids. */
  #begunBefore = 0
  #stop: Promise<void> | undefined
  #isClosed = false
  #resolveStopped: () => void = () => {}
  readonly stopped: Promise<void>

  constructor(settings: WorkerSettings) {
    this.#settings = settings
    this.#isForced = new Promise((resolve) => {
      this.#forced.signal.addEventListener('abort', () => resolve())
    })
    this.stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve
    })
  }

  get id(): string {
    return this.#session?.id ?? ''
  }

  get state(): WorkerState {
    return this.#session?.state ?? (this.#stopping.signal.aborted ? 'gone' : 'starting')
  }

  get held(): number {
    return this.#session?.held ?? 0
  }

  get serves(): ReadonlyMap<string, number> {
    return this.#served?.versions ?? new Map()
  }

  start(): Promise<void> {
    this.#starting = this.#start()
    return this.#starting
  }

  async #start(): Promise<void> {
    try {
      this.#connections = await openConnections(this.#settings, this.#stopping.signal)
      await this.#persist(() => checkSchemaOf(this.#connections!.handlerPool))
      this.#served = await this.#persist(() =>
        registerSteps(this.#connections!.claims, this.#settings.pipelines, this.#settings),
      )
      await this.#persist(() => this.#registerTriggers())
      this.#listener = this.#listen()
      if (!this.#settings.byHand) await this.#listener.start()
      await this.#begin()
    } catch (error) {
      await this.#close()
      throw error
    }
    if (this.#isClosed) await this.#close()
  }

  async tick(): Promise<void> {
    await this.#session?.tick()
  }

  get attempts(): number {
    return this.#session?.attempts ?? 0
  }

  get begun(): number {
    return this.#begunBefore + (this.#session?.begun ?? 0)
  }

  get heldSteps(): WorkerSession['heldSteps'] {
    return this.#session?.heldSteps ?? []
  }

  get underWay(): WorkerSession['underWay'] {
    return this.#session?.underWay ?? []
  }

  /** A worker that finds itself counted as gone goes on under its new id. */
  async turn(): Promise<void> {
    let turned: WorkerSession | undefined
    do {
      await this.#beginningAnew
      turned = this.#session
      await turned?.turn()
    } while (turned !== this.#session)
  }

  async settled(): Promise<void> {
    await this.#session?.settled()
  }

  rest(): void {
    this.#session?.rest()
  }

  async die(): Promise<void> {
    this.#stopping.abort()
    const session = this.#session
    this.#session = undefined
    await session?.die('the worker died')
    await this.#close()
  }

  stop({ force = false }: { readonly force?: boolean } = {}): Promise<void> {
    if (force) this.#forced.abort()
    this.#stop ??= this.#drain()
    return this.#stop
  }

  #persist<T>(work: () => Promise<T>): Promise<T> {
    return connectedAtLast(work, this.#settings, this.#stopping.signal)
  }

  async #registerTriggers(): Promise<void> {
    const { triggers, log } = this.#settings
    if (triggers === undefined) return
    const slugs = [...this.#served!.versions.keys()]
    await registerTriggers(triggers, { caller: this.#connections!.claims, slugs, log })
  }

  #listen(): Listener {
    return new Listener({
      connectionString: this.#settings.directDatabase,
      applicationName: 'millrace listener',
      channels: ['millrace_wake', 'millrace_abort', 'millrace_data'],
      pingMs: this.#settings.pingMs,
      onNotify: (channel, message) => this.#notified(channel, message),
      onLost: (error) => this.#deaf(error),
      // What was notified while nobody listened was missed.
      onListening: () => this.#session?.wake(),
    })
  }

  /** A database that is away is told of by the heartbeats; an address where nothing is ever notified is told of here. */
  #deaf(error: Error): void {
    if (!(error instanceof MillraceError) || error.code === 'database_unreachable') return
    this.#settings.log({
      level: 'warn',
      message: `No wake-ups, so it looks for work with each heartbeat: ${error.message}`,
    })
  }

  #notified(channel: string, message: string): void {
    if (channel === 'millrace_wake' && message !== '') this.#session?.triggered(message)
    else if (channel === 'millrace_wake') this.#session?.wake()
    else if (channel === 'millrace_data') this.#session?.heard(message)
    else if (message === this.#session?.id) void this.#session.tick()
  }

  async #begin(): Promise<void> {
    const key = await this.#persist(() =>
      registerSession(randomUUID(), this.#settings, this.#served!, this.#connections!),
    )
    await this.#listener!.holdLock(key.lockKey)
    // The id is counted as gone when its lease is over: it has held nothing.
    if (this.#isClosed) return
    const session = new WorkerSession(
      key,
      this.#settings,
      this.#served!,
      this.#connections!,
      this.#listener!,
      {
        gone: (reason) => this.#gone(session, reason),
        drainOrdered: () => void this.stop(),
      },
    )
    this.#session = session
    await session.start()
    // An order to drain may have come with the first heartbeat.
    if (this.#session === session && !this.#stopping.signal.aborted && !this.#settings.byHand)
      addLocalWorker(this.#settings.database, session)
  }

  /** Others may run what a session holds from now on. One that ends anyhow does not begin anew. */
  #gone(session: WorkerSession, reason: string): void {
    if (this.#session !== session) return
    if (!this.#stopping.signal.aborted) {
      this.#beginAnew(session, reason)
      return
    }
    const lost = session.giveBackHeld(reason)
    if (lost === 0) return
    this.#settings.log({
      level: 'warn',
      message: `Worker ${session.id} is gone while it stops: ${reason}. What it held may run elsewhere: ${count(lost, 'step was', 'steps were')} told to stop.`,
    })
  }

  /** A swept id never heartbeats again: what it held is aborted, and the worker goes on under a new one. */
  #beginAnew(session: WorkerSession, reason: string): void {
    this.#settings.log({
      level: 'warn',
      message: `Worker ${session.id} is gone: ${reason}. It goes on under a new id.`,
    })
    removeLocalWorker(this.#settings.database, session)
    this.#session = undefined
    this.#begunBefore += session.begun
    // It holds the lock of the id that is gone, and may look alive as the others did.
    this.#listener?.reconnect()
    // The heartbeat that brought the news is still under way; the session waits for it to end.
    this.#beginningAnew = session.abandon(reason).then(() => this.#beginAtLast())
  }

  /** A worker that can't register at present tries again: a process that lives and does nothing would look well to everybody. */
  async #beginAtLast(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#begin()
        return
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        this.#settings.log({
          level: 'error',
          message: `The worker could not register: ${(error as Error).message}`,
        })
        await pause(registerAgainMs, this.#stopping.signal)
      }
    }
  }

  async #drain(): Promise<void> {
    this.#stopping.abort()
    await Promise.race([this.#starting?.catch(() => {}), this.#isForced])
    await Promise.race([this.#beginningAnew, this.#isForced])
    const session = this.#session
    if (session !== undefined) {
      removeLocalWorker(this.#settings.database, session)
      await session.drain(this.#settings.drainMs, this.#forced.signal)
    }
    await this.#close()
  }

  /** Ends what there is by now. A start that a forced stop did not wait for ends what it opens later. */
  async #close(): Promise<void> {
    this.#isClosed = true
    this.#stopping.abort()
    await Promise.all([this.#listener?.close(), this.#connections?.close()])
    this.#resolveStopped()
  }
}
