// The test engine: a database of its own in which time stands still, and a worker that moves when it is told.
import type pg from 'pg'
import { waitLines } from '../core/account-waits.ts'
import { type Duration, durationMs } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import { isFinal } from '../core/state.ts'
import { runAccount } from '../db/accounts.ts'
import { type Caller, poolCaller } from '../db/call.ts'
import { createPool, describeDatabase } from '../db/connection.ts'
import { testClock } from '../db/test-clock.ts'
import { decidersOf, takeBackTask } from '../db/test-runs.ts'
import type { ActorOptions, Approval, DecideOptions, DecisionStanding } from '../sdk/approvals.ts'
import { type Client, connect } from '../sdk/client.ts'
import type { SignalSendOptions, SignalSent } from '../sdk/signals.ts'
import type { ArtifactStore } from '../sdk/artifact-store.ts'
import type { PipelineDefinition } from '../sdk/pipeline-definition.ts'
import type { EncryptionKeys } from '../sdk/sealed-runs.ts'
import type { StartOptions } from '../sdk/start.ts'
import type { PipelineInput, PipelineOutput, Startable, StartedRun } from '../sdk/startable.ts'
import type { Trigger } from '../sdk/trigger.ts'
import { within } from '../worker/connections.ts'
import type { WorkerLogEntry } from '../worker/options.ts'
import { type Fault, Faults } from './faults.ts'
import { type AnswerOutside, Outside, type SentRequest } from './outside.ts'
import { tellStableAccount } from './stable-account.ts'
import { type Double, type Mock, StepDoubles } from './step-doubles.ts'
import { Turns, workerName } from './turns.ts'
import { createTestCopy, type TestCopy, type TestServerOptions } from './test-server.ts'

/** For what ends by itself, where nobody keeps it. */
const closeMs = 1_000

export interface TestEngineOptions {
  /** What its worker serves. */
  readonly pipelines: readonly PipelineDefinition[]
  /** What starts runs of them by itself. */
  readonly triggers?: readonly Trigger[]
  /**
   * A connection string whose login may create databases, of which each engine gets one. Left out: TEST_DATABASE_URL, or else an
   * embedded PostgreSQL that all test processes of this user of this machine share.
   */
  readonly server?: string
  /** How many steps may run at once. 20 by default. */
  readonly slots?: number
  /** The schemas of the database whose functions `sql` steps may call. */
  readonly sqlSchemas?: readonly string[]
  /** Who answers callbacks and pings in the place of the addresses outside, none of which is called; 204 by default. With `fetch` they are called. */
  readonly outside?: AnswerOutside
  /** Addresses that callbacks and pings may name besides those of the public internet over https, as in the configuration. */
  readonly allowTargets?: readonly string[]
  /** Keys for encrypted pipelines and secrets, as in the configuration. */
  readonly encryptionKeys?: EncryptionKeys
  /** Where artifacts lie; in the database by default. */
  readonly artifacts?: ArtifactStore
  /** Milliseconds of real time in which a step may neither end nor another one begin. 4,000 by default. */
  readonly patienceMs?: number
  /** What time it is at first; by default that of the machine, which is another one each time that the test runs. */
  readonly now?: Date
  /** A draw from [0, 1), for the jitter of retries and for durable.random(); by default always the middle, so that each delay is its mean. */
  readonly random?: () => number
  /** Where the worker tells what happens; by default errors go to standard error. */
  readonly log?: (entry: WorkerLogEntry) => void
}

export interface UntilIdleOptions {
  /** Whether to go on with what is not due yet, from one due time to the next; a duration says how far at most. */
  readonly advanceTime?: boolean | Duration
}

export interface ApprovalDecision extends DecideOptions {
  /** Which approval of the run, where it waits for several. */
  readonly name?: string
}

/** A run of this engine. */
export interface TestRun<Output = unknown> extends StartedRun {
  /** False where a run stood in its place, by its run key or idempotency key. */
  readonly created: boolean
  /** For types only: what the run gives. */
  readonly $output?: Output
}

/**
 * A fresh database, copied from a migrated template, with a worker in this process. Nothing happens until it is told to:
 * runUntilIdle(), advance() and result() turn the worker's loops, and time stands still in between.
 *
 * @throws MillraceError those of the embedded server and of a connection, graph_invalid
 */
export async function createTestEngine(options: TestEngineOptions): Promise<TestEngine> {
  return await createEngineOn(options, options)
}

/** The same on a template that is there already. */
export async function createEngineOn(
  server: TestServerOptions,
  options: TestEngineOptions,
): Promise<TestEngine> {
  const copy = await createTestCopy(server)
  let engine: TestEngine | undefined
  try {
    engine = new TestEngine(copy, options)
    await engine.open()
    return engine
  } catch (error) {
    await (engine?.close() ?? copy.drop())
    throw error
  }
}

export class TestEngine implements AsyncDisposable {
  /** The address of its database, for connections of the test's own. */
  readonly database: string
  /** A client on its database, whose time is that of the engine. */
  readonly client: Client
  /** Connections to its database, for code of the test's own that takes a pool. */
  readonly pool: pg.Pool
  readonly #copy: TestCopy
  readonly #caller: Caller
  readonly #doubles: StepDoubles
  readonly #faults = new Faults()
  readonly #outside: Outside
  readonly #turns: Turns
  #closing: Promise<void> | undefined

  /** Call createTestEngine(). */
  constructor(copy: TestCopy, options: TestEngineOptions) {
    this.#copy = copy
    this.database = copy.url
    const { allowTargets, encryptionKeys, artifacts } = options
    const configured = { allowTargets, encryptionKeys, artifacts }
    this.client = connect({
      ...configured,
      database: copy.url,
      connectionsMax: 2,
      now: () => this.#turns.nowMs,
    })
    this.pool = createPool({
      connectionString: copy.url,
      applicationName: 'millrace test engine',
      connectionsMax: 5,
    })
    this.#caller = poolCaller(this.pool, { prepare: true, database: describeDatabase(copy.url) })
    this.#doubles = new StepDoubles(options.pipelines, (calls) => this.#faults.ended(calls))
    this.#outside = new Outside(options.outside)
    this.#turns = new Turns({
      worker: {
        ...configured,
        database: copy.url,
        pipelines: this.#doubles.pipelines,
        triggers: options.triggers ?? [],
        slots: options.slots ?? 20,
        sqlSchemas: options.sqlSchemas ?? [],
        random: options.random ?? (() => 0.5),
        log: options.log ?? ((entry) => this.#tell(entry)),
        fetch: (url, request) => this.#outside.send(url, request),
      },
      caller: this.#caller,
      pool: this.pool,
      clock: testClock(this.pool),
      beganMs: options.now?.getTime() ?? Date.now(),
      patienceMs: options.patienceMs ?? 4_000,
      turned: () => this.#faults.check(),
    })
  }

  /** What callbacks and pings have sent, in order. */
  get sent(): readonly SentRequest[] {
    return this.#outside.sent
  }

  /** Called once by createTestEngine(). */
  async open(): Promise<void> {
    await this.#turns.open()
  }

  /** What time it is in the engine's database; handlers that ask the machine's clock get another answer. */
  now(): Date {
    return new Date(this.#turns.nowMs)
  }

  /** Runs a statement in the engine's database, to make and read the tables of the test's own. */
  async query<Row extends pg.QueryResultRow = Record<string, unknown>>(
    text: string,
    values: unknown[] = [],
  ): Promise<Row[]> {
    this.#checkOpen()
    return (await this.pool.query<Row>(text, values)).rows
  }

  /**
   * Starts a run; its steps wait for the next turn. Where a run stands in its place, that one is the answer.
   *
   * @throws MillraceError as client.start does, and pipeline_paused, start_limited
   */
  async start<P extends Startable>(
    pipeline: P,
    input: PipelineInput<P>,
    options: StartOptions = {},
  ): Promise<TestRun<PipelineOutput<P>>> {
    this.#checkOpen()
    const answer = await this.client.start(pipeline, input, options)
    if (answer.run !== null) return { id: answer.run.id, created: answer.created }
    const slug = typeof pipeline === 'string' ? pipeline : pipeline.slug
    if (answer.reason === 'paused')
      throw new MillraceError('pipeline_paused', answer.why, { fields: { pipeline: slug } })
    const { rule, passesAt } = answer
    const until = passesAt === null ? '' : ` until ${passesAt.toISOString()}`
    throw new MillraceError('start_limited', `Rule '${rule}' on starts of '${slug}' refuses it${until}.`, {
      fields: { pipeline: slug, rule, passesAt },
    })
  }

  /**
   * Turns until nothing can be claimed and nothing runs. What waits for a time stays, unless `advanceTime` says that the time is to pass.
   *
   * @throws MillraceError test_engine_stuck
   */
  async runUntilIdle({ advanceTime = false }: UntilIdleOptions = {}): Promise<void> {
    const turns = this.#turns
    const ms =
      typeof advanceTime === 'boolean' ? Number.POSITIVE_INFINITY : durationMs(advanceTime, 'advanceTime')
    await turns.alone(async () => {
      if (advanceTime === false) await turns.work()
      else await turns.passTime(turns.nowMs + ms)
    })
  }

  /**
   * Lets so much time pass, from one due time to the next: what becomes due in between runs at its own time, and what that starts as well.
   *
   * @throws MillraceError test_engine_stuck, duration_invalid
   */
  async advance(duration: Duration): Promise<void> {
    const turns = this.#turns
    const ms = durationMs(duration, 'The time to advance')
    await turns.alone(async () => {
      const untilMs = turns.nowMs + ms
      await turns.passTime(untilMs)
      await turns.moveTo(untilMs)
      await turns.work()
    })
  }

  /**
   * The output of a run, once everything has run that can at this time.
   *
   * @throws MillraceError run_failed, run_cancelled, run_unknown; test_run_unended where it waits, with what it waits for
   */
  async result<Output = unknown>(run: TestRun<Output> | string): Promise<Output> {
    const id = typeof run === 'string' ? run : run.id
    await this.runUntilIdle()
    const account = await runAccount(this.#caller, id)
    const { state, pipeline } = account.run
    if (isFinal(state)) return (await this.client.run(id).result()) as Output
    const waits = waitLines(account).join('\n')
    throw new MillraceError('test_run_unended', `Run ${id} of '${pipeline}' has not ended.\n${waits}`, {
      fields: { runId: id, state },
    })
  }

  /** Sends a signal, as client.signal does; whoever waits for it goes on with the next turn. */
  async signal(name: string, payload?: unknown, options: SignalSendOptions = {}): Promise<SignalSent> {
    this.#checkOpen()
    return await this.client.signal(name, payload, options)
  }

  /**
   * Turns until idle, and approves what the run then asks for. Without an actor, somebody decides who may.
   *
   * @throws MillraceError approval_unknown where nothing is asked, or several things and none is named; approval_forbidden
   */
  approve(run: StartedRun | string, options: ApprovalDecision = {}): Promise<DecisionStanding> {
    return this.#decide(run, 'approve', options)
  }

  /** The same, rejecting it. */
  reject(run: StartedRun | string, options: ApprovalDecision = {}): Promise<DecisionStanding> {
    return this.#decide(run, 'reject', options)
  }

  async #decide(
    run: StartedRun | string,
    decision: 'approve' | 'reject',
    { name, ...given }: ApprovalDecision,
  ): Promise<DecisionStanding> {
    await this.runUntilIdle()
    const id = typeof run === 'string' ? run : run.id
    const open = await this.client.approvals.list({ run: id })
    const fitting = name === undefined ? open : open.filter((one) => one.name === name)
    const [asked] = fitting
    if (asked === undefined || fitting.length > 1) {
      const names = open.map((one) => `'${one.name}'`).join(', ') || 'none'
      throw new MillraceError(
        'approval_unknown',
        `Run ${id} does not wait for one approval${name === undefined ? '' : ` '${name}'`}: it has ${names} open.`,
        { fields: { runId: id, name } },
      )
    }
    const by = given.actor === undefined ? await this.#decider(asked) : {}
    return await this.client.approvals.decide(asked.id, decision, { ...by, ...given })
  }

  /** Somebody who may decide and has not: of the people who are asked, or else whoever has the role. */
  async #decider({ id, people, roles }: Approval): Promise<ActorOptions> {
    const decided = await decidersOf(this.#caller, id)
    const others = ['somebody', ...decided.map((_, place) => `somebody ${place + 2}`)]
    const actor = [...people, ...others].find((one) => !decided.includes(one))
    return { ...(actor !== undefined && { actor }), actorRoles: roles }
  }

  /** The account of a run as a text that is the same each time: its first day is the first of January 2000, ids are counted, workers have no name. */
  async account(run: StartedRun | string): Promise<string> {
    this.#checkOpen()
    return tellStableAccount(await runAccount(this.#caller, typeof run === 'string' ? run : run.id))
  }

  /**
   * Lets a function stand in for the handler of a step, until it is restored or replaced. Its output is checked as the handler's is.
   *
   * @throws MillraceError pipeline_unknown, step_unknown
   */
  mock(pipeline: PipelineDefinition | string, step: string, double: Double): Mock {
    return this.#doubles.mock(pipeline, step, double)
  }

  /**
   * The worker dies when the handler of this step has ended the next time, before its outcome is stored. Another worker goes on, when the
   * dead one's lease has run out.
   *
   * @throws MillraceError step_unknown
   */
  crashAfter(step: string): Fault {
    this.#doubles.checkStep(step)
    return this.#faults.arm('crash', { step }, () => this.#turns.crash())
  }

  /** A step of this run loses its lease the next time that its handler has ended: what it reports is refused, and the step runs again. */
  loseLease(run: StartedRun | string): Fault {
    const runId = typeof run === 'string' ? run : run.id
    return this.#faults.arm('lost lease', { runId }, async (call) => {
      await takeBackTask(this.pool, call, `Worker '${workerName}' is gone: its lease ran out.`)
    })
  }

  /**
   * The database goes away for so long when the next handler has ended: every connection to it is cut, the outcome can't be stored, and
   * the time has passed when it is back.
   *
   * @throws MillraceError duration_invalid
   */
  databaseGone(duration: Duration): Fault {
    const ms = durationMs(duration, 'The time for which the database is gone')
    return this.#faults.arm('database gone', {}, async () => {
      await this.#copy.shut(true)
      try {
        await this.#turns.missTime(ms)
      } finally {
        await this.#copy.shut(false)
      }
      await this.#turns.writeTime()
    })
  }

  /** Ends the worker and all connections, and drops the database. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    try {
      await this.#turns.close()
      // A test that failed may have a connection in its hands for ever: with the database it is gone.
      await within(closeMs, Promise.all([this.client.close(), this.pool.end()]))
    } finally {
      await this.#copy.drop()
    }
  }

  /** What a fault brings about is no news to the test that ordered it. */
  #tell({ level, message }: WorkerLogEntry): void {
    if (level === 'error' || (level === 'warn' && !this.#faults.anyFired))
      process.stderr.write(`millrace test engine: ${message}\n`)
  }

  #checkOpen(): void {
    this.#turns.checkOpen()
  }
}
