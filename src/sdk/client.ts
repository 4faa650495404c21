// The client: starts runs of pipelines, waits for their results, and does to them what people do.
import { MillraceError } from '../core/errors.ts'
import { createRunIds, isUuid } from '../core/uuid.ts'
import { type Caller, transactionCaller } from '../db/call.ts'
import { answerMsMax, createPool } from '../db/connection.ts'
import {
  type ActiveVersionRow,
  type RegisteredPipeline,
  registerPipeline,
  pausePipeline,
  resumePipeline,
  activatePipeline,
} from '../db/pipelines.ts'
import { resumeKey } from '../db/failure-streaks.ts'
import { Approvals } from './approvals.ts'
import { eraseTenant, type ErasedTenant, type EraseTenantOptions } from './erasures.ts'
import { type ReencryptedPayloads, reencrypt } from './key-rotation.ts'
import type { ArtifactStore } from './artifact-store.ts'
import { type AllowedTargets, checkAllowedTargets } from '../net/target.ts'
import { ClientCache } from './cache.ts'
import { Callbacks } from './callbacks.ts'
import { checkedInput } from './checked-input.ts'
import { openSession, type Session } from './client-session.ts'
import { emitEvent, type EmitOptions } from './emit.ts'
import { type EmittedEvent, emittedEvents, type EventListOptions, Subscriptions } from './subscriptions.ts'
import { Limits } from './limits.ts'
import { Watches } from './watches.ts'
import { Schedules } from './schedules.ts'
import { StartRuleBook } from './start-rule-book.ts'
import { createCipher, type EncryptionKeys, SealedRuns } from './sealed-runs.ts'
import { Secrets } from './secrets.ts'
import { createRandomBytes } from './random-bytes.ts'
import { failures, type FailureGroup, type FailureGroupsOptions, Redrives } from './redrives.ts'
import { type ChangeOptions, type RunHandle, runHandle, type RunHandleParts } from './run-handle.ts'
import { type MigratedRuns, type MigrateRunsOptions, moveRuns } from './run-moves.ts'
import { type KeyOptions, type PausedKey, pausedKeys } from './paused-keys.ts'
import { sendSignalTo, type SignalSendOptions, type SignalSent } from './signals.ts'
import { ActiveVersions } from './active-versions.ts'
import {
  outcomesOf,
  type PipelineOutcome,
  pipelineRevision,
  type SplitOptions,
  splitStarts,
} from './versions.ts'
import { UnderWay } from './under-way.ts'
import { Webhooks } from './webhooks.ts'
import type { PipelineInput, PipelineOutput, Startable, StartablePipeline, StartedRun } from './startable.ts'
import {
  type PendingStart,
  pendingStart,
  type StartAnswer,
  type StartOptions,
  type StartVia,
} from './start.ts'
import { startInTransaction, startMany, type TransactionParts } from './start-lists.ts'

export interface ClientOptions {
  /** A connection string. */
  readonly database: string
  /** Where notifications are delivered, if `database` is a transaction pooler. */
  readonly directDatabase?: string
  /** The most connections. 4 by default. */
  readonly connectionsMax?: number
  /**
   * Milliseconds after which a statement without an answer counts as a lost connection, which only looked alive; 65,000 by default, longer than the
   * server lets a statement take. A start is then asked for again, under the same id.
   */
  readonly answerTimeoutMs?: number
  /** Keys for encrypted pipelines and secrets, by id, each 32 bytes in base64: the first encrypts, all decrypt. MILLRACE_ENCRYPTION_KEYS unless told. */
  readonly encryptionKeys?: EncryptionKeys | undefined
  /** Where artifacts lie that workers were told to write there. */
  readonly artifacts?: ArtifactStore | undefined
  /** Ranges, hosts and origins that callbacks may name besides https addresses of the public internet; the workers must allow them too. */
  readonly allowTargets?: AllowedTargets | undefined
  /** What the runs that it starts say they were started by: the SDK unless told. For a server, whose callers start them. */
  readonly startedVia?: StartVia | undefined
  /** Milliseconds since 1970, for the ids of runs; the machine's clock by default. */
  readonly now?: () => number
}

/** Opens a client; connections are made when they are first needed. @throws MillraceError connection_string_invalid, target_invalid */
export function connect(options: ClientOptions): Client {
  return new Client(options)
}

export class Client {
  readonly #options: ClientOptions
  readonly #pool: ReturnType<typeof createPool>
  readonly #newId: () => string
  readonly #runs: RunHandleParts
  readonly #cipher: ReturnType<typeof createCipher>
  readonly #allow: AllowedTargets
  readonly #registered = new Map<string, Promise<RegisteredPipeline>>()
  readonly #versions = new ActiveVersions()
  readonly #starts = new UnderWay()
  #session: Promise<Session> | undefined
  #closing: Promise<void> | undefined

  constructor(options: ClientOptions) {
    this.#options = options
    this.#cipher = createCipher(options.encryptionKeys)
    this.#allow = checkAllowedTargets(options.allowTargets ?? [])
    this.callbacks = new Callbacks(async () => (await this.#open()).caller, this.#allow)
    this.#pool = createPool({
      connectionString: options.database,
      applicationName: 'millrace client',
      connectionsMax: options.connectionsMax ?? 4,
      answerTimeoutMs: options.answerTimeoutMs ?? answerMsMax,
    })
    this.#newId = createRunIds({ now: options.now ?? Date.now, random: createRandomBytes() })
    this.#runs = {
      session: async () => this.#open(),
      database: options.database,
      store: options.artifacts,
      newId: this.#newId,
    }
  }

  /**
   * Starts a run. Where the pipeline declares a run key, at most one run of it is live: then the answer names that one.
   *
   * An input is held against the schema of the pipeline that is given. Given by its name alone, it is taken as it is: schemas are code, and lie in no database.
   *
   * @throws MillraceError input_invalid, json_invalid, json_too_large, pipeline_unknown, key_value_missing, idempotency_conflict,
   *   start_held_up, callback_invalid, target_refused
   */
  start<P extends Startable>(
    pipeline: P,
    input: PipelineInput<P>,
    options: StartOptions = {},
  ): Promise<StartAnswer> {
    return this.#starts.during(this.#start(pipeline, input, options))
  }

  async #start(pipeline: Startable, input: unknown, options: StartOptions): Promise<StartAnswer> {
    const session = await this.#open()
    const start = await this.#prepare(session, pipeline, input, options)
    if (options.tx !== undefined)
      return (await startInTransaction(options.tx, [start], this.#inTransaction))[0]!
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
   * one transaction, two of which are under way at a time. So a failure half-way leaves earlier thousands started, and maybe one behind: nothing begins
   * after it, and the error's `fields.started` names the inputs that were started, each piece by its `first` and `last`, from 0. With `tx` it is all or none.
   */
  startMany<P extends Startable>(
    pipeline: P,
    inputs: ReadonlyArray<PipelineInput<P>>,
    options: Omit<StartOptions, 'runId' | 'idempotencyKey'> = {},
  ): Promise<StartAnswer[]> {
    return this.#starts.during(this.#startMany(pipeline, inputs, options))
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
    if (options.tx !== undefined) return startInTransaction(options.tx, starts, this.#inTransaction)
    return startMany(session, starts)
  }

  /** A run by its id, or by the answer that named it. @throws MillraceError run_unknown for what is no id */
  run<P extends Startable = string>(run: string | StartedRun): RunHandle<PipelineOutput<P>> {
    const id = typeof run === 'string' ? run : run.id
    if (!isUuid(id))
      throw new MillraceError('run_unknown', `'${id.slice(0, 100)}' is no run id.`, { fields: { runId: id } })
    // As the database writes it: what comes of the run is found by its id.
    return runHandle<PipelineOutput<P>>(this.#runs, id.toLowerCase())
  }

  /**
   * Sends a signal: to a run, or to its name, where the oldest step that waits for it gets it. Where nobody waits it is kept.
   *
   * @throws MillraceError run_unknown, run_ended, json_invalid, json_too_large, argument_invalid
   */
  async signal(name: string, payload?: unknown, options: SignalSendOptions = {}): Promise<SignalSent> {
    return sendSignalTo((await this.#open()).caller, name, payload, options)
  }

  /**
   * Emits an event: once its transaction has committed, each subscription that it fits starts a run. Answers its id.
   *
   * @throws MillraceError json_invalid, json_too_large, argument_invalid
   */
  async emit(name: string, payload?: unknown, options: EmitOptions = {}): Promise<{ readonly id: string }> {
    const caller = options.tx === undefined ? (await this.#open()).caller : transactionCaller(options.tx)
    return { id: await emitEvent(caller, name, payload, options) }
  }

  /** The emitted events, the newest first, each with what it started. */
  async events(options?: EventListOptions): Promise<EmittedEvent[]> {
    return emittedEvents((await this.#open()).caller, options)
  }

  /** Who subscribes to emitted events. */
  readonly subscriptions = new Subscriptions(async () => (await this.#open()).caller)

  /** Who is told of the end of runs, and what became of it. */
  readonly callbacks: Callbacks

  /** Values that steps compute once for all runs that ask. */
  readonly cache = new ClientCache(async () => (await this.#open()).caller)

  /** Questions that runs put to people. */
  readonly approvals = new Approvals(async () => (await this.#open()).caller)

  /** Rules on how many tasks may run at once, or begin in a time. */
  readonly limits = new Limits(async () => (await this.#open()).caller)
  readonly watches = new Watches(async () => (await this.#open()).caller)

  /** Rules on starts: list, define and remove them while runs are under way. */
  readonly startRules = new StartRuleBook(async () => (await this.#open()).caller)

  /** When pipelines start by themselves: define, list and steer schedules, and read what became of each firing. */
  readonly schedules = new Schedules(async () => (await this.#open()).caller)

  /** Secrets by name, whose values only steps get. */
  readonly secrets = new Secrets(
    async () => (await this.#open()).caller,
    () => this.#cipher,
  )

  /** Requests that start runs: their handler, what was received, and once more. */
  readonly webhooks = new Webhooks({
    caller: async () => (await this.#open()).caller,
    cipher: () => this.#cipher,
    prepare: async (pipeline, input, options) =>
      this.#prepareChecked(await this.#open(), pipeline, input, options),
    encrypts: async (slug) => {
      const active = await this.#versions.of((await this.#open()).caller, slug)
      return active !== undefined && active.encrypt !== null
    },
    newId: () => this.#newId(),
    nowMs: () => (this.#options.now ?? Date.now)(),
  })

  /**
   * Takes all of a tenant out of the database, in batches; what was erased is kept on record, without what stood in it. Needs the rights of an admin.
   *
   * @throws MillraceError run_live, where a run of the tenant is live
   */
  async eraseTenant(tenant: string, options: EraseTenantOptions = {}): Promise<ErasedTenant> {
    return eraseTenant((await this.#open()).caller, tenant, options)
  }

  /**
   * Encrypts anew, with the first key of the ring, what ended runs and secrets hold under another one; in batches, beside whatever is at work. Needs
   * the rights of an admin.
   *
   * @throws MillraceError encryption_key_missing
   */
  async reencrypt(options: { readonly runsPerBatch?: number } = {}): Promise<ReencryptedPayloads> {
    return reencrypt((await this.#open()).caller, this.#cipher, options)
  }

  /** Fresh attempts for many failed runs. */
  readonly redrives = new Redrives(async () => (await this.#open()).caller)

  /** The failed runs that nobody has decided on, in groups of one kind of failure; the largest first. */
  async failures(options?: FailureGroupsOptions): Promise<FailureGroup[]> {
    return failures((await this.#open()).caller, options)
  }

  /** Refuses starts of a pipeline, and claims of its tasks, until it is resumed. @throws MillraceError pipeline_unknown, revision_conflict */
  async pausePipeline(slug: string, reason?: string, { ifRevision }: ChangeOptions = {}): Promise<boolean> {
    return pausePipeline((await this.#open()).caller, slug, reason ?? null, ifRevision)
  }

  /** @throws MillraceError pipeline_unknown, revision_conflict */
  async resumePipeline(slug: string, { ifRevision }: ChangeOptions = {}): Promise<boolean> {
    return resumePipeline((await this.#open()).caller, slug, ifRevision)
  }

  /** The run keys whose starts are refused since too many of their runs failed in a row, the newest first; of all pipelines, or of one. */
  async pausedKeys(slug?: string): Promise<PausedKey[]> {
    return pausedKeys((await this.#open()).caller, slug)
  }

  /** Takes starts of a paused run key again, and counts its failures anew; false where it was not paused. @throws MillraceError pipeline_unknown */
  async resumeKey(slug: string, key: string, { tenant }: KeyOptions = {}): Promise<boolean> {
    return resumeKey((await this.#open()).caller, slug, key, tenant ?? null)
  }

  /** How often people have changed a pipeline: what a change that was decided on a look at it carries. @throws MillraceError pipeline_unknown */
  async pipelineRevision(slug: string): Promise<number> {
    return pipelineRevision((await this.#open()).caller, slug)
  }

  /**
   * Splits the starts that name no version (from SQL, schedules, by name) among several, by weight. The value at `key`, a path such as
   * user.id, always gets the same version; without a key, or a value there, the run's own id decides. activatePipeline ends it.
   *
   * @throws MillraceError pipeline_unknown, argument_invalid, revision_conflict
   */
  async splitPipeline(
    slug: string,
    weights: Readonly<Record<number, number>>,
    options: SplitOptions = {},
  ): Promise<void> {
    await splitStarts((await this.#open()).caller, slug, weights, options)
  }

  /** Gives all starts that name no version this one. @throws MillraceError pipeline_unknown, revision_conflict */
  async activatePipeline(slug: string, version: number, { ifRevision }: ChangeOptions = {}): Promise<void> {
    await activatePipeline((await this.#open()).caller, slug, version, ifRevision)
  }

  /** How the runs of each version went among which the starts are split, since that was set. @throws MillraceError pipeline_unknown */
  async pipelineOutcomes(slug: string, since?: Date): Promise<PipelineOutcome[]> {
    return outcomesOf((await this.#open()).caller, slug, since)
  }

  /**
   * Moves live runs to another version, where every step that is final or open stands in it alike; says of each other run why it stays.
   *
   * @throws MillraceError pipeline_unknown, argument_invalid
   */
  async migrateRuns(pipeline: Startable, options: MigrateRunsOptions): Promise<MigratedRuns> {
    const slug = typeof pipeline === 'string' ? pipeline : pipeline.slug
    return moveRuns((await this.#open()).caller, slug, options)
  }

  /** Ends its connections; starts and calls under way are finished first, and what still waits for a result or a part is refused. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#starts.ended()
    const session = await this.#session?.catch(() => undefined)
    session?.results.close()
    session?.streams.close()
    await session?.news.close()
    // A pool that ends serves nobody who still waits for a connection.
    await session?.calls.ended()
    await this.#pool.end()
  }

  async #prepare(
    session: Session,
    pipeline: Startable,
    input: unknown,
    options: StartOptions,
  ): Promise<PendingStart> {
    return this.#prepareChecked(session, pipeline, await checkedInput(pipeline, input), options)
  }

  async #prepareChecked(
    session: Session,
    pipeline: Startable,
    input: unknown,
    options: StartOptions,
  ): Promise<PendingStart> {
    const id = this.#newId()
    const start =
      typeof pipeline === 'string'
        ? { slug: pipeline, version: null, id, input, ...(await this.#known(session, pipeline)) }
        : {
            slug: pipeline.slug,
            version: await this.#versionOf(session, pipeline),
            id,
            input,
            graph: pipeline.graph,
          }
    return pendingStart(start, options, this.#cipher, this.#allow)
  }

  /** What is known of a pipeline that is given by its name. */
  async #known(session: Session, slug: string): Promise<Partial<ActiveVersionRow>> {
    const active = this.#versions.of(session.caller, slug)
    if (this.#cipher !== undefined) return { ...(await active) }
    // Without keys the database decides. Nobody needs the run key to start: what keeps it from being read has its say there.
    const { key } = { ...(await active.catch(() => undefined)) }
    return key === undefined ? {} : { key }
  }

  /** Once per process and version: a start uses the version of its own code, and registers it if nobody has. */
  async #versionOf(session: Session, pipeline: StartablePipeline): Promise<number> {
    const known = this.#registered.get(versionName(pipeline))
    return (await (known ?? this.#register(session, pipeline))).version
  }

  #register(session: Session, pipeline: StartablePipeline): Promise<RegisteredPipeline> {
    const registering = registerPipeline(session.caller, pipeline.slug, pipeline.graph, pipeline.startRules)
    this.#registered.set(versionName(pipeline), registering)
    registering.catch(() => this.#registered.delete(versionName(pipeline)))
    return registering
  }

  #open(): Promise<Session> {
    if (this.#closing !== undefined) throw new MillraceError('client_closed', 'This client was closed.')
    this.#session ??= openSession(this.#pool, {
      ...this.#options,
      via: this.#via,
      sealed: (caller) => this.#sealedRuns(caller),
    })
    this.#session.catch(() => {
      this.#session = undefined
    })
    return this.#session
  }

  get #via(): StartVia {
    return this.#options.startedVia ?? 'sdk'
  }

  get #inTransaction(): TransactionParts {
    return { sealed: (caller) => this.#sealedRuns(caller), via: this.#via }
  }

  #sealedRuns(caller: Caller): SealedRuns {
    return new SealedRuns(caller, this.#cipher)
  }
}

/** Two pipelines may have the same graph, and so the same digest. */
function versionName({ slug, digest }: StartablePipeline): string {
  return `${slug} ${digest}`
}
