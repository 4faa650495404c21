// The client: starts runs of pipelines, waits for their results, and does to them what people do.
import { randomBytes, randomUUID } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import { createRunIds, isUuid } from '../core/uuid.ts'
import { type Caller, poolCaller } from '../db/call.ts'
import { createPool, describeDatabase, isPoolPooled } from '../db/connection.ts'
import { type RegisteredPipeline, registerPipeline, pausePipeline, resumePipeline } from '../db/pipelines.ts'
import { cancelRun, pauseRun, resumeRun } from '../db/runs.ts'
import { localWorker } from './local-worker.ts'
import type { PipelineDefinition, PipelineInput, PipelineOutput } from './pipeline.ts'
import { RunResults, type ResultOptions } from './result.ts'
import { validate } from './standard-schema.ts'
import {
  type PendingStart,
  pendingStart,
  type StartAnswer,
  StartBatches,
  type StartedRun,
  startInTransaction,
  startMany,
  type StartOptions,
} from './start.ts'

export interface ClientOptions {
  /** A connection string. */
  readonly database: string
  /** Where notifications are delivered, if `database` is a transaction pooler. */
  readonly directDatabase?: string
  /** The most connections. 4 by default. */
  readonly connectionsMax?: number
  /** Milliseconds since 1970, for the ids of runs; the machine's clock by default. */
  readonly now?: () => number
}

/** What can be started: a pipeline, or the name of one that somebody else registered. */
export type Startable = PipelineDefinition | string

/** A run by its id. */
export interface RunHandle<Output = unknown> extends StartedRun {
  /**
   * Waits for its end and gives its output.
   *
   * @throws MillraceError run_failed, run_cancelled, run_unknown, wait_timeout
   */
  result(options?: ResultOptions): Promise<Output>
  /** True where it was live. @throws MillraceError run_unknown */
  cancel(reason?: string): Promise<boolean>
  /** True where it was live and not paused. @throws MillraceError run_unknown */
  pause(reason?: string): Promise<boolean>
  /** True where it was paused. @throws MillraceError run_unknown */
  resume(): Promise<boolean>
}

/** Opens a client; connections are made when they are first needed. @throws MillraceError connection_string_invalid */
export function connect(options: ClientOptions): Client {
  return new Client(options)
}

export class Client {
  readonly #options: ClientOptions
  readonly #pool: ReturnType<typeof createPool>
  readonly #newId: () => string
  readonly #registered = new Map<string, Promise<RegisteredPipeline>>()
  readonly #underWay = new Set<Promise<unknown>>()
  #session: Promise<Session> | undefined
  #closed = false

  constructor(options: ClientOptions) {
    this.#options = options
    this.#pool = createPool({
      connectionString: options.database,
      applicationName: 'millrace client',
      connectionsMax: options.connectionsMax ?? 4,
    })
    this.#newId = createRunIds({ now: options.now ?? Date.now, random: (n) => randomBytes(n) })
  }

  /**
   * Starts a run. Where the pipeline declares a run key, at most one run of it is live: then the answer names that one.
   *
   * @throws MillraceError input_invalid, json_invalid, json_too_large, pipeline_unknown, key_value_missing, idempotency_conflict
   */
  start<P extends Startable>(
    pipeline: P,
    input: PipelineInput<P>,
    options: StartOptions = {},
  ): Promise<StartAnswer> {
    return this.#finish(this.#start(pipeline, input, options))
  }

  async #start(pipeline: Startable, input: unknown, options: StartOptions): Promise<StartAnswer> {
    const session = await this.#open()
    const start = await this.#prepare(session, pipeline, input, options)
    if (options.tx !== undefined) return (await startInTransaction(options.tx, [start]))[0]!
    return await session.starts.start(start)
  }

  /** The same as start: with a run key declared, it answers with the one live run. */
  ensureRun<P extends Startable>(
    pipeline: P,
    input: PipelineInput<P>,
    options: StartOptions = {},
  ): Promise<StartAnswer> {
    return this.start(pipeline, input, options)
  }

  /**
   * Starts a run for each input, with the same options; answers in the order of the inputs. At most 1,000 are started in
   * one transaction, so a failure half-way leaves the earlier thousands started; with `tx` it is all or none.
   */
  startMany<P extends Startable>(
    pipeline: P,
    inputs: ReadonlyArray<PipelineInput<P>>,
    options: Omit<StartOptions, 'runId' | 'idempotencyKey'> = {},
  ): Promise<StartAnswer[]> {
    return this.#finish(this.#startMany(pipeline, inputs, options))
  }

  async #startMany(
    pipeline: Startable,
    inputs: readonly unknown[],
    options: StartOptions,
  ): Promise<StartAnswer[]> {
    if (inputs.length > 100_000) {
      throw new MillraceError('too_many_starts', `${inputs.length} starts in one call; 100,000 are the most.`)
    }
    const session = await this.#open()
    const starts: PendingStart[] = []
    for (const input of inputs) starts.push(await this.#prepare(session, pipeline, input, options))
    return options.tx === undefined
      ? startMany(session.caller, starts)
      : startInTransaction(options.tx, starts)
  }

  /** A run by its id, or by the answer that named it. @throws MillraceError run_unknown for what is no id */
  run<P extends Startable = string>(run: string | StartedRun): RunHandle<PipelineOutput<P>> {
    const id = typeof run === 'string' ? run : run.id
    if (!isUuid(id))
      throw new MillraceError('run_unknown', `'${id.slice(0, 100)}' is no run id.`, { fields: { runId: id } })
    return {
      id,
      result: async (options) => {
        const session = await this.#open()
        const output = await session.results.result(id, localWorker(this.#options.database), options)
        return output as PipelineOutput<P>
      },
      cancel: async (reason) => cancelRun((await this.#open()).caller, id, reason ?? null),
      pause: async (reason) => pauseRun((await this.#open()).caller, id, reason ?? null),
      resume: async () => resumeRun((await this.#open()).caller, id),
    }
  }

  /** Refuses starts of a pipeline, and claims of its tasks, until it is resumed. @throws MillraceError pipeline_unknown */
  async pausePipeline(slug: string, reason?: string): Promise<boolean> {
    return pausePipeline((await this.#open()).caller, slug, reason ?? null)
  }

  /** @throws MillraceError pipeline_unknown */
  async resumePipeline(slug: string): Promise<boolean> {
    return resumePipeline((await this.#open()).caller, slug)
  }

  /** Ends its connections; starts under way are finished first. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.allSettled(this.#underWay)
    const session = await this.#session?.catch(() => undefined)
    await session?.results.close()
    await this.#pool.end()
  }

  async #prepare(
    session: Session,
    pipeline: Startable,
    input: unknown,
    options: StartOptions,
  ): Promise<PendingStart> {
    const id = this.#newId()
    if (typeof pipeline === 'string')
      return pendingStart({ slug: pipeline, version: null, id, input: input ?? null }, options)
    const checked =
      pipeline.inputSchema === undefined
        ? (input ?? null)
        : await validate(pipeline.inputSchema, input, {
            code: 'input_invalid',
            what: `The input of pipeline '${pipeline.slug}'`,
          })
    const known = this.#registered.get(versionName(pipeline))
    const { version } = await (known ?? this.#register(session, pipeline))
    return pendingStart({ slug: pipeline.slug, version, id, input: checked, graph: pipeline.graph }, options)
  }

  /** Remembers a call until it has ended, so that close() waits for it. */
  async #finish<T>(call: Promise<T>): Promise<T> {
    this.#underWay.add(call)
    try {
      return await call
    } finally {
      this.#underWay.delete(call)
    }
  }

  /** Once per process and version: a start uses the version of its own code, and registers it if nobody has. */
  #register(session: Session, pipeline: PipelineDefinition): Promise<RegisteredPipeline> {
    const registering = registerPipeline(session.caller, pipeline.slug, pipeline.graph)
    this.#registered.set(versionName(pipeline), registering)
    registering.catch(() => this.#registered.delete(versionName(pipeline)))
    return registering
  }

  #open(): Promise<Session> {
    if (this.#closed) throw new MillraceError('client_closed', 'This client was closed.')
    this.#session ??= this.#connect()
    this.#session.catch(() => {
      this.#session = undefined
    })
    return this.#session
  }

  async #connect(): Promise<Session> {
    const { database, directDatabase } = this.#options
    const described = describeDatabase(database)
    const pooled = await isPoolPooled(this.#pool, described)
    const caller = poolCaller(this.#pool, { prepare: !pooled, database: described })
    return {
      caller,
      starts: new StartBatches(caller, (starts) => this.#workerFor(starts)),
      results: new RunResults(caller, directDatabase ?? database, randomUUID()),
    }
  }

  /** The worker of this process, where it serves all that is started. */
  #workerFor(starts: readonly PendingStart[]) {
    const worker = localWorker(this.#options.database)
    const handsOver = ({ row, key }: PendingStart) =>
      key !== undefined && worker?.serves(row.slug, row.version) === true
    return starts.every(handsOver) ? worker : undefined
  }
}

/** Two pipelines may have the same graph, and so the same digest. */
function versionName({ slug, digest }: PipelineDefinition): string {
  return `${slug} ${digest}`
}

interface Session {
  readonly caller: Caller
  readonly starts: StartBatches
  readonly results: RunResults
}
