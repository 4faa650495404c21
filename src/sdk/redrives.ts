// Owns what people do with runs that failed, and with runs that they want once more: redrive, fork, rerun, and the groups of failures.
import { randomUUID } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import { checkJson } from '../core/json.ts'
import type { RunState } from '../core/state.ts'
import { isUuid } from '../core/uuid.ts'
import type { Caller } from '../db/call.ts'
import {
  abortRedrive,
  type CopyRow,
  forkRun,
  listFailures,
  listRedriveItems,
  listRedrives,
  planRedrive,
  readRedrive,
  type RedriveRow,
  type RedriveStandingRow,
  rerunRun,
  startRedrive,
} from '../db/redrives.ts'
import { type Schema, validate } from './standard-schema.ts'
import type { PipelineInput, Startable, StartedRun } from './startable.ts'

/** Which failed runs: all conditions together. */
export interface FailureFilter {
  readonly pipeline?: string
  readonly tenant?: string
  /** The step that failed. */
  readonly step?: string
  /** The code of the error. */
  readonly code?: string
  /** What failures of one kind have in common: see failures(). */
  readonly fingerprint?: string
  /** Failed at or after this time. */
  readonly since?: Date
  /** Failed before this time. */
  readonly until?: Date
}

/** Where a redriven run goes on. */
export interface RedriveFrom {
  /** Where it failed, at the start, or at a step. `failed` by default. */
  readonly from?: 'failed' | 'start' | { readonly step: string }
  /** `original`, which it has, or `latest`, which is the active one. */
  readonly version?: 'original' | 'latest'
}

export interface RedriveOptions extends RedriveFrom {
  /** Runs a second, by the database's clock; as fast as it goes where left out. */
  readonly rate?: number
  readonly reason?: string
  /** Asked again under the same key it is the same redrive. */
  readonly idempotencyKey?: string
}

/** What a redrive would do now. */
export interface RedrivePlan {
  readonly runs: number
  /** How many would be refused, by reason. */
  readonly refused: Readonly<Record<string, number>>
}

/** How far a redrive is. */
export interface RedriveProgress {
  readonly id: string
  readonly state: 'open' | 'completed' | 'aborted'
  readonly total: number
  readonly done: number
  readonly refused: number
  readonly filter: Readonly<Record<string, unknown>>
  readonly rate: number | null
  readonly reason: string | null
  readonly createdAt: Date
  readonly createdBy: string
  readonly finishedAt: Date | null
  readonly abortedBy: string | null
}

export interface RedrivenRun {
  readonly run: string
  readonly state: 'open' | 'done' | 'refused'
  /** Why it was refused: a word for programs, a sentence for people. */
  readonly reason: string | null
  readonly detail: string | null
  /** The run that took its place; null where it goes on itself. */
  readonly newRun: string | null
}

/** An input that takes the place of a run's own, held against the pipeline's schema where the pipeline is given. */
export interface InputEdit<P extends Startable = Startable> {
  readonly pipeline?: P
  readonly input?: PipelineInput<P>
}

export type RunRedriveOptions<P extends Startable = Startable> = Omit<RedriveOptions, 'rate'> & InputEdit<P>

/** Whether a run was redriven: `run` is the one that goes on, which is itself or another in its place. */
export type RedriveAnswer =
  | { readonly redriven: true; readonly run: StartedRun }
  | { readonly redriven: false; readonly reason: string; readonly detail: string }

export interface RerunOptions<P extends Startable = Startable> extends InputEdit<P> {
  readonly version?: 'original' | 'latest'
  readonly reason?: string
  /** A version 7 UUID of the caller's own: the same id is the same new run. */
  readonly runId?: string
}

export interface ForkOptions<P extends Startable = Startable> extends RerunOptions<P> {
  /** Also what the step has stored of its durable calls is kept. */
  readonly keepCheckpoints?: boolean
}

/** The new run, or why there is none. */
export type CopyAnswer =
  | { readonly created: true; readonly run: StartedRun }
  | { readonly created: false; readonly reason: 'repeated'; readonly run: StartedRun }
  | { readonly created: false; readonly reason: string; readonly detail: string; readonly run: null }

/** Failures of one step with one code and, but for numbers, ids and quoted texts, one message. */
export interface FailureGroup {
  readonly fingerprint: string
  readonly pipeline: string
  readonly step: string | null
  readonly code: string | null
  /** That of the latest. */
  readonly message: string | null
  readonly runs: number
  readonly firstAt: Date
  readonly lastAt: Date
  readonly lastRun: string
}

export interface FailureGroupsOptions {
  readonly pipeline?: string
  readonly tenant?: string
  readonly since?: Date
  /** The most groups; 50 where left out. */
  readonly limit?: number
}

/** A run that another one was made of, or that was made of it. */
export interface RunOrigin {
  readonly run: string
  readonly kind: 'redrive' | 'fork' | 'rerun'
  readonly step: string | null
  /** Where its input differs; null where it does not. */
  readonly difference: ReadonlyArray<{
    readonly path: readonly string[]
    readonly before?: unknown
    readonly after?: unknown
  }> | null
  readonly by: string
}

export interface RunLineage {
  /** null for a run that was started by itself. */
  readonly of: RunOrigin | null
  /** What came of it, the newest first. */
  readonly into: ReadonlyArray<{
    readonly run: string
    readonly kind: 'redrive' | 'fork' | 'rerun'
    readonly step: string | null
    /** null where it was pruned. */
    readonly state: RunState | null
  }>
}

/** Redrives of many: ordered here, carried out by the workers. */
export class Redrives {
  readonly #caller: () => Promise<Caller>

  constructor(caller: () => Promise<Caller>) {
    this.#caller = caller
  }

  /** How many failed runs would be redriven, and how many refused; nothing is changed. @throws MillraceError argument_invalid */
  async plan(filter: FailureFilter, options: RedriveFrom = {}): Promise<RedrivePlan> {
    const rows = await planRedrive(await this.#caller(), { filter: filterText(filter), ...fromOf(options) })
    const refused = rows.flatMap(({ reason, runs }) => (reason === null ? [] : [[reason, runs] as const]))
    return {
      runs: rows.find(({ reason }) => reason === null)?.runs ?? 0,
      refused: Object.fromEntries(refused),
    }
  }

  /** Orders the runs that fail the filter's conditions now to be redriven. @throws MillraceError argument_invalid, idempotency_conflict */
  async start(filter: FailureFilter, options: RedriveOptions = {}): Promise<RedriveProgress> {
    const caller = await this.#caller()
    const { redrive_id } = await startRedrive(caller, rowOf(filterText(filter), options, null))
    return this.show(redrive_id)
  }

  /** @throws MillraceError redrive_unknown */
  async show(id: string): Promise<RedriveProgress> {
    const row = isUuid(id) ? await readRedrive(await this.#caller(), id) : undefined
    if (row === undefined)
      throw new MillraceError('redrive_unknown', `There is no redrive ${id.slice(0, 100)}.`, {
        fields: { redriveId: id },
      })
    return progressOf(row)
  }

  /** The newest first. */
  async list(options: { readonly open?: boolean; readonly limit?: number } = {}): Promise<RedriveProgress[]> {
    const { open = false, limit = 50 } = options
    return (await listRedrives(await this.#caller(), { open, limit })).map(progressOf)
  }

  /** What became of its runs, those that were refused first. */
  async runs(id: string, options: { readonly limit?: number } = {}): Promise<RedrivenRun[]> {
    await this.show(id)
    const rows = await listRedriveItems(await this.#caller(), id, options.limit ?? 100)
    return rows.map(({ run_id, new_run_id, ...rest }) => ({ run: run_id, newRun: new_run_id, ...rest }))
  }

  /** What is done stays done. True where something was left to do. @throws MillraceError redrive_unknown */
  async abort(id: string): Promise<boolean> {
    await this.show(id)
    return abortRedrive(await this.#caller(), id)
  }
}

function progressOf(row: RedriveStandingRow): RedriveProgress {
  const { id, state, total, done, refused, filter, rate, reason } = row
  return {
    id,
    state,
    total,
    done,
    refused,
    filter,
    rate,
    reason,
    createdAt: row.created_at,
    createdBy: row.created_by,
    finishedAt: row.finished_at,
    abortedBy: row.aborted_by,
  }
}

/** Gives one failed run fresh attempts. @throws MillraceError run_unknown, input_invalid, json_invalid, argument_invalid, idempotency_conflict */
export async function redriveRun<P extends Startable>(
  caller: Caller,
  runId: string,
  options: RunRedriveOptions<P> = {},
): Promise<RedriveAnswer> {
  const filter = JSON.stringify({ runs: [runId] })
  const { redrive_id } = await startRedrive(caller, rowOf(filter, options, await inputOf(options)))
  const [item] = await listRedriveItems(caller, redrive_id, 1)
  if (item?.state === 'done') return { redriven: true, run: { id: item.new_run_id ?? runId } }
  return {
    redriven: false,
    reason: item?.reason ?? 'busy',
    detail: item?.detail ?? `Somebody has the run at hand: redrive ${redrive_id} goes on with it.`,
  }
}

/** A new run from a step of another one. @throws MillraceError run_unknown, input_invalid, json_invalid, argument_invalid */
export async function fork<P extends Startable>(
  caller: Caller,
  { run, step, newRun }: { readonly run: string; readonly step: string; readonly newRun: string },
  options: ForkOptions<P> = {},
): Promise<CopyAnswer> {
  const { version = 'original', keepCheckpoints = false, reason, runId } = options
  return copyAnswer(
    await forkRun(caller, {
      runId: run,
      step,
      newRunId: runId ?? newRun,
      version,
      input: await inputOf(options),
      keepCheckpoints,
      reason: reason ?? null,
    }),
  )
}

/** A new run with the input of another one, or an edited one. @throws MillraceError run_unknown, input_invalid, json_invalid, argument_invalid */
export async function rerun<P extends Startable>(
  caller: Caller,
  { run, newRun }: { readonly run: string; readonly newRun: string },
  options: RerunOptions<P> = {},
): Promise<CopyAnswer> {
  const { version = 'original', reason, runId } = options
  return copyAnswer(
    await rerunRun(caller, {
      runId: run,
      newRunId: runId ?? newRun,
      version,
      input: await inputOf(options),
      reason: reason ?? null,
    }),
  )
}

function copyAnswer({ created, new_run, refusal, detail }: CopyRow): CopyAnswer {
  if (new_run === null) return { created: false, reason: refusal ?? '', detail: detail ?? '', run: null }
  return created ? { created, run: { id: new_run } } : { created, reason: 'repeated', run: { id: new_run } }
}

export async function failures(caller: Caller, options: FailureGroupsOptions = {}): Promise<FailureGroup[]> {
  const { pipeline = null, tenant = null, since = null, limit = 50 } = options
  const rows = await listFailures(caller, { pipeline, tenant, since, limit })
  return rows.map(({ fingerprint, pipeline: slug, step, code, message, runs, ...last }) => ({
    ...{ fingerprint, pipeline: slug, step, code, message, runs },
    firstAt: last.first_at,
    lastAt: last.last_at,
    lastRun: last.last_run_id,
  }))
}

/** JSON text of the input that takes the place of a run's own; null where that stays. */
async function inputOf(edit: {
  readonly pipeline?: Startable
  readonly input?: unknown
}): Promise<string | null> {
  const { pipeline, input } = edit
  if (input === undefined) return null
  const [slug, schema]: [string, Schema | undefined] =
    pipeline === undefined || typeof pipeline === 'string'
      ? [pipeline ?? '', undefined]
      : [pipeline.slug, pipeline.inputSchema]
  const what = slug === '' ? 'the edited input' : `the input of pipeline '${slug}'`
  const checked =
    schema === undefined
      ? input
      : await validate(schema, input, { code: 'input_invalid', what: `The input of pipeline '${slug}'` })
  return checkJson(checked ?? null, { what })
}

function filterText({ since, until, ...rest }: FailureFilter): string {
  return JSON.stringify({ ...rest, since: since?.toISOString(), until: until?.toISOString() })
}

function fromOf({
  from = 'failed',
  version = 'original',
}: RedriveFrom): Pick<RedriveRow, 'restart' | 'step' | 'version'> {
  return typeof from === 'string'
    ? { restart: from, step: null, version }
    : { restart: 'step', step: from.step, version }
}

function rowOf(filter: string, options: RedriveOptions, input: string | null): RedriveRow {
  const { rate, reason, idempotencyKey } = options
  return {
    id: randomUUID(),
    filter,
    ...fromOf(options),
    input,
    rate: rate ?? null,
    reason: reason ?? null,
    idempotencyKey: idempotencyKey ?? null,
  }
}
