// Executors outside: programs that no worker runs report their own steps, under the same fence and into the same account.
import { randomUUID } from 'node:crypto'
import { MillraceError, toStepError } from '../core/errors.ts'
import { checkJson } from '../core/json.ts'
import { type Labels, metadataPatch, metricReport, partText, progressText } from '../core/reports.ts'
import { createRunIds } from '../core/uuid.ts'
import { type Caller, poolCaller } from '../db/call.ts'
import { answerMsMax, createPool, describeDatabase, isPoolPooled } from '../db/connection.ts'
import { isAway } from '../db/database-error.ts'
import { completeRun, ensureRun } from '../db/runs.ts'
import {
  completeStep,
  failStep,
  heartbeatStep,
  logStep,
  releaseStep,
  reportStep,
  type StepKey,
  startStep,
} from '../db/steps.ts'
import type { ReportRow } from '../db/streams.ts'
import { isUndoneByConflict, retryWhen } from '../db/transaction.ts'
import { pauseWords } from './paused-starts.ts'
import { createRandomBytes } from './random-bytes.ts'
import { type Hold, ReportBuffer, type ReportBufferOptions, type Send } from './report-buffer.ts'

export interface OutsideOptions {
  /** A connection string. */
  readonly database: string
  /** Who reports, as the account shows it; 'outside' by default. */
  readonly name?: string
  /** The most connections. 2 by default. */
  readonly connectionsMax?: number
  /**
   * With the database away the work goes on: reports are kept, so many at most, and sent later in their order. Without it, a
   * report that can't be sent rejects.
   */
  readonly bestEffort?: ReportBufferOptions
  /** Milliseconds since 1970, for the ids of runs; the machine's clock by default. */
  readonly now?: () => number
  /** A draw from [0, 1), for the jitter of retries. */
  readonly random?: () => number
}

export interface EnsureOptions {
  readonly tenant?: string
  readonly headers?: Readonly<Record<string, string>>
  /** The run fails when nothing is heard of it for so many seconds. */
  readonly silenceSeconds?: number
}

export type EnsureAnswer =
  | { readonly created: true; readonly run: { readonly id: string } }
  | {
      readonly created: false
      readonly reason: 'live' | 'repeated' | 'coalesced'
      readonly run: { readonly id: string }
    }
  /** By a rule on starts. */
  | { readonly created: false; readonly reason: 'limit'; readonly run: null }
  | { readonly created: false; readonly reason: 'paused'; readonly run: null; readonly why: string }
  /** Best effort: the database is away. The id is provisional; what is reported under it reaches the real run. */
  | { readonly created: false; readonly reason: 'away'; readonly run: { readonly id: string } }

export interface StepStartOptions {
  /** Seconds until the step counts as abandoned, unless heartbeats prolong them. 300 by default. */
  readonly leaseSeconds?: number
  /** Which item of a map, from 0. */
  readonly item?: number
}

export type StepAnswer =
  | {
      readonly started: true
      readonly hold: Hold
      readonly itemValue: unknown
      readonly leaseExpiresAt: Date | null
    }
  /** paused, held, not ready, final, run ended, or what a waiting step waits for. */
  | { readonly started: false; readonly reason: string }

/** `repeated`: it was recorded before, its answer was lost. `buffered`: it is sent when the database is back. */
export type Report = 'recorded' | 'repeated' | 'buffered'

/** A server that is silent, and refuses nothing, holds up work at best effort for no longer. What it was told and did not answer is told again. */
const bestEffortBounds = { connectTimeoutMs: 3_000, answerTimeoutMs: 10_000 }

/** Opens a connection for an executor outside. @throws MillraceError connection_string_invalid */
export function connectOutside(options: OutsideOptions): Outside {
  return new Outside(options)
}

export class Outside {
  readonly #options: OutsideOptions
  readonly #pool: ReturnType<typeof createPool>
  readonly #newId: () => string
  readonly #buffer: ReportBuffer | undefined
  #caller: Promise<Caller> | undefined
  #closing: Promise<void> | undefined

  constructor(options: OutsideOptions) {
    this.#options = options
    this.#pool = createPool({
      connectionString: options.database,
      applicationName: 'millrace outside',
      connectionsMax: options.connectionsMax ?? 2,
      ...(options.bestEffort === undefined ? { answerTimeoutMs: answerMsMax } : bestEffortBounds),
    })
    this.#newId = createRunIds({ now: options.now ?? Date.now, random: createRandomBytes() })
    this.#buffer =
      options.bestEffort === undefined ? undefined : new ReportBuffer(options.bestEffort, () => this.#open())
  }

  /**
   * One live run of the input's key, started if there is none.
   *
   * @throws MillraceError pipeline_unknown, key_value_missing, json_invalid, json_too_large
   */
  async ensureRun(pipeline: string, input: unknown, options: EnsureOptions = {}): Promise<EnsureAnswer> {
    const id = this.#newId()
    const start = {
      slug: pipeline,
      id,
      input: checkJson(input, { what: `the input of pipeline '${pipeline}'` }),
      tenant: options.tenant ?? null,
      headers:
        options.headers === undefined
          ? null
          : checkJson(options.headers, { what: 'the headers', maxBytes: 16_384 }),
      silenceSeconds: options.silenceSeconds ?? null,
    }
    const answer = await this.#report(id, async (caller, isLate) => {
      const row = await ensureRun(caller, start)
      if (isLate && row.run_id !== null) this.#buffer?.isReally(id, row.run_id)
      return row
    })
    if (answer === 'buffered') return { created: false, reason: 'away', run: { id } }
    if (answer.reason === 'limit') return { created: false, reason: 'limit', run: null }
    if (answer.run_id === null) {
      const [why = ''] = await pauseWords(await this.#open(), [{ ...start, version: null }])
      return { created: false, reason: 'paused', run: null, why }
    }
    if (answer.created) return { created: true, run: { id: answer.run_id } }
    return { created: false, reason: answer.reason as 'live', run: { id: answer.run_id } }
  }

  /**
   * Takes a step. Its hold is the token for everything after; it is plain data, so that it can be kept beside the work's own
   * state.
   *
   * @throws MillraceError run_unknown, step_not_in_run
   */
  async startStep(runId: string, step: string, options: StepStartOptions = {}): Promise<StepAnswer> {
    const hold: Hold = { runId, step, item: options.item ?? -1, attempt: null }
    const { leaseSeconds = 300 } = options
    const heldBy = this.#options.name ?? 'outside'
    const holder = randomUUID()
    const answer = await this.#report(runId, async (caller, isLate) => {
      const start = { runId: this.#realRun(runId), step, item: hold.item, heldBy, leaseSeconds, holder }
      const row = await startStep(caller, start)
      // Where the work began without the database, its later reports learn here which attempt they belong to.
      if (isLate && row.started) this.#buffer?.isAttempt(hold, row.attempt!)
      return row
    })
    if (answer === 'buffered') return { started: true, hold, itemValue: undefined, leaseExpiresAt: null }
    if (!answer.started) return { started: false, reason: answer.reason ?? 'not ready' }
    const held = { ...hold, attempt: answer.attempt }
    return {
      started: true,
      hold: held,
      itemValue: answer.item_value,
      leaseExpiresAt: answer.lease_expires_at,
    }
  }

  /** Prolongs the hold. False where the run is being ended and the work should stop. @throws MillraceError attempt_lost */
  async heartbeat(hold: Hold): Promise<boolean> {
    const beat: Send<boolean> = (caller) => heartbeatStep(caller, this.#keyOf(hold))
    if (this.#buffer === undefined) return this.#send(beat)
    // A heartbeat is about now: there is none to catch up on.
    return (await this.#buffer.ask(hold, beat)) ?? true
  }

  /** Writes a line into the run's account. @throws MillraceError attempt_lost */
  async log(hold: Hold, message: string, fields: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const text = checkJson(fields, { what: 'the fields of a log line', maxBytes: 16_384, emptied: true })
    await this.#report(hold.runId, (caller) => logStep(caller, this.#keyOf(hold), message, text), {
      expendable: true,
    })
  }

  /** Says how far the step is. @throws MillraceError attempt_lost, progress_invalid */
  async progress(hold: Hold, done: number, total?: number, note?: string): Promise<void> {
    await this.#say(hold, 'progress', progressText(done, total, note))
  }

  /** Lays names over the metadata of the run; null takes a name away. @throws MillraceError attempt_lost, argument_invalid, json_too_large */
  async setMetadata(hold: Hold, patch: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#say(hold, 'metadata', JSON.stringify(Object.fromEntries(metadataPatch(patch))))
  }

  /** Keeps a figure of the work. @throws MillraceError attempt_lost, argument_invalid, metric_invalid */
  async metric(hold: Hold, name: string, value: number, labels?: Labels): Promise<void> {
    await this.#say(hold, 'metric', metricReport(name, value, labels).text)
  }

  /**
   * Appends a part to the stream of the run. With its number in this attempt, from 0, it is written once however often it is sent; without one, a
   * part whose answer was lost may be written twice.
   *
   * @throws MillraceError attempt_lost, argument_invalid, json_too_large
   */
  async write(hold: Hold, part: unknown, options: { readonly number?: number } = {}): Promise<void> {
    await this.#say(hold, 'part', partText(part), options.number)
  }

  /** Completes the step with its output. @throws MillraceError attempt_lost, json_invalid, json_too_large */
  async complete(hold: Hold, output: unknown = null): Promise<Report> {
    const text = checkJson(output, { what: `the output of step '${hold.step}'` })
    const recorded = await this.#report(hold.runId, (caller) => completeStep(caller, this.#keyOf(hold), text))
    if (recorded === 'buffered') return 'buffered'
    return recorded ? 'recorded' : 'repeated'
  }

  /**
   * Fails the step with whatever was thrown. Answers when it can be taken again; null where there is no other try, and its run
   * has failed.
   *
   * @throws MillraceError attempt_lost
   */
  async fail(hold: Hold, thrown: unknown): Promise<{ readonly retryAt: Date | null } | 'buffered'> {
    const error = JSON.stringify(toStepError(thrown))
    const draw = (this.#options.random ?? Math.random)()
    const retryAt = await this.#report(hold.runId, (caller) =>
      failStep(caller, this.#keyOf(hold), error, draw),
    )
    return retryAt === 'buffered' ? 'buffered' : { retryAt }
  }

  /** Gives the step back unfinished; no failure is counted. @throws MillraceError attempt_lost */
  async release(hold: Hold, reason = 'released'): Promise<void> {
    await this.#report(hold.runId, (caller) => releaseStep(caller, this.#keyOf(hold), reason))
  }

  /**
   * Says that the run has ended, or, with what was thrown, that it has failed. A run whose steps are all final has ended by
   * itself; then this only answers with its state.
   *
   * @throws MillraceError run_unknown, run_unfinished
   */
  async completeRun(
    runId: string,
    thrown?: unknown,
  ): Promise<'completed' | 'failed' | 'cancelled' | 'buffered'> {
    const error = thrown === undefined ? null : JSON.stringify(toStepError(thrown))
    return await this.#report(
      runId,
      async (caller) => (await completeRun(caller, this.#realRun(runId), error)) as 'completed',
    )
  }

  /** Best effort: tries now to send what is buffered. True where nothing is left. */
  async flush(): Promise<boolean> {
    return (await this.#buffer?.flush()) ?? true
  }

  /** Sends what is buffered, if the database is there, and ends the connections. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#buffer?.close()
    await this.#pool.end()
  }

  async #say(hold: Hold, kind: ReportRow['kind'], body: string, number: number | null = null): Promise<void> {
    const report = { kind, body, number }
    await this.#report(hold.runId, (caller) => reportStep(caller, this.#keyOf(hold), report), {
      expendable: kind === 'progress',
    })
  }

  #report<T>(
    runId: string,
    send: Send<T>,
    options?: { readonly expendable: boolean },
  ): Promise<T | 'buffered'> {
    if (this.#buffer === undefined) return this.#send(send)
    return this.#buffer.report(runId, send, options)
  }

  /** Every report can be repeated: what was recorded already is answered as it was. So an answer that was lost is asked for again. */
  async #send<T>(send: Send<T>): Promise<T> {
    const caller = await this.#open()
    return retryWhen(
      (error) => isAway(error) || isUndoneByConflict(error),
      () => send(caller, false),
      { attempts: 4, delayMs: 100 },
    )
  }

  #open(): Promise<Caller> {
    this.#caller ??= this.#connect()
    this.#caller.catch(() => {
      this.#caller = undefined
    })
    return this.#caller
  }

  async #connect(): Promise<Caller> {
    const database = describeDatabase(this.#options.database)
    return poolCaller(this.#pool, { prepare: !(await isPoolPooled(this.#pool, database)), database })
  }

  #realRun(runId: string): string {
    return this.#buffer?.realRun(runId) ?? runId
  }

  #keyOf(hold: Hold): StepKey {
    const attempt = hold.attempt ?? this.#buffer?.attemptOf(hold)
    if (attempt !== undefined)
      return { runId: this.#realRun(hold.runId), step: hold.step, item: hold.item, attempt }
    throw new MillraceError(
      'attempt_lost',
      `Step '${hold.step}' of run ${hold.runId} could not be taken when the database was back.`,
    )
  }
}
