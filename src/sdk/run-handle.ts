// Owns a run in a client's hands: what is asked of it, and what people do to it.
import type { RunState } from '../core/state.ts'
import { deleteRun, type RowCounts } from '../db/erasures.ts'
import { cancelRun, pauseRun, prioritizeRun, resumeRun } from '../db/runs.ts'
import { readProgress } from '../db/streams.ts'
import { why } from '../db/whys.ts'
import type { ArtifactStore } from './artifact-store.ts'
import { type Artifact, type ArtifactInfo, artifactsOf, openArtifact } from './artifacts.ts'
import type { Session } from './client-session.ts'
import { localWorker } from './local-worker.ts'
import {
  type CopyAnswer,
  fork,
  type ForkOptions,
  type RedriveAnswer,
  redriveRun,
  rerun,
  type RerunOptions,
  type RunLineage,
  type RunRedriveOptions,
} from './redrives.ts'
import type { ResultOptions } from './result.ts'
import { readLineage, readRevision } from './run-lineage.ts'
import { progressOf, type RunProgress } from './run-progress.ts'
import type { StreamOptions, StreamPart } from './run-stream.ts'
import type { Startable, StartedRun } from './startable.ts'
import { type Why, whyOf } from './why.ts'

export interface DeleteOptions {
  /** Only count what would go. */
  readonly dryRun?: boolean
  /** Kept with the record that it was done. */
  readonly reason?: string
}

/** A change that is refused where somebody has changed the same thing since. */
export interface ChangeOptions {
  /** The revision on which the change was decided. */
  readonly ifRevision?: number
}

export interface CancelOptions extends ChangeOptions {
  /** Undo first what the run completed, by the undo steps of its pipeline: it stays live until that has ended. */
  readonly undo?: boolean
}

/** A run by its id. */
export interface RunHandle<Output = unknown> extends StartedRun {
  /**
   * Waits for its end and gives its output.
   *
   * @throws MillraceError run_failed, run_cancelled, run_unknown, wait_timeout
   */
  result(options?: ResultOptions): Promise<Output>
  /** Waits for its end, however large its output is, and gives the state in which it ended. @throws MillraceError run_unknown, wait_timeout */
  ended(options?: ResultOptions): Promise<RunState>
  /** True where it was live. @throws MillraceError run_unknown, revision_conflict */
  cancel(reason?: string, options?: CancelOptions): Promise<boolean>
  /** True where it was live and not paused. @throws MillraceError run_unknown, revision_conflict */
  pause(reason?: string, options?: ChangeOptions): Promise<boolean>
  /** True where it was paused. @throws MillraceError run_unknown, revision_conflict */
  resume(options?: ChangeOptions): Promise<boolean>
  /** Gives it another priority, from 1, first, to 9, last. True where it is live and had another. @throws MillraceError run_unknown, revision_conflict */
  prioritize(priority: number, options?: ChangeOptions): Promise<boolean>
  /** How often people have changed it: what a change that was decided on a look at it carries. @throws MillraceError run_unknown */
  revision(): Promise<number>
  /** Gives it fresh attempts where it failed, or puts a new run in its place. @throws MillraceError run_unknown, input_invalid, argument_invalid */
  redrive<P extends Startable>(options?: RunRedriveOptions<P>): Promise<RedriveAnswer>
  /** Makes a new run that begins at a step of it, with the outputs of what stands before. @throws MillraceError run_unknown, input_invalid */
  fork<P extends Startable>(step: string, options?: ForkOptions<P>): Promise<CopyAnswer>
  /** Makes a new run with its input, or an edited one. @throws MillraceError run_unknown, input_invalid */
  rerun<P extends Startable>(options?: RerunOptions<P>): Promise<CopyAnswer>
  /** Of which run it was made, and which were made of it. @throws MillraceError run_unknown */
  lineage(): Promise<RunLineage>
  /** How far it is, and what its handlers have said of it. @throws MillraceError run_unknown */
  progress(): Promise<RunProgress>
  /**
   * Follows what its steps write: each part once and in order, from a position on, until the run has ended.
   *
   * @throws MillraceError run_unknown, argument_invalid, client_closed
   */
  stream<Value = unknown>(options?: StreamOptions): AsyncGenerator<StreamPart<Value>, void, undefined>
  /** Its artifacts, those that are finished. */
  artifacts(): Promise<ArtifactInfo[]>
  /** @throws MillraceError artifact_unknown, artifact_store_missing */
  artifact(name: string): Promise<Artifact>
  /** What it, a step of it or an item of a map waits for. @throws MillraceError run_unknown, step_not_in_run */
  why(step?: string, item?: number): Promise<Why>
  /**
   * Takes all of it, and of the runs that it called and waited for, out of the database; answers how many rows of each table. Needs the rights of an
   * admin.
   *
   * @throws MillraceError run_unknown, run_live
   */
  delete(options?: DeleteOptions): Promise<RowCounts>
}

/** What a handle needs of its client. */
export interface RunHandleParts {
  /** The client's connections, made when they are first needed. */
  readonly session: () => Promise<Session>
  readonly database: string
  readonly store: ArtifactStore | undefined
  readonly newId: () => string
}

export function runHandle<Output>(
  { session, database, store, newId }: RunHandleParts,
  id: string,
): RunHandle<Output> {
  return {
    id,
    result: async (options) => {
      const output = await (await session()).results.result(id, localWorker(database), options)
      return output as Output
    },
    ended: async (options) => (await session()).results.ended(id, options),
    cancel: async (reason, { undo = false, ifRevision } = {}) =>
      cancelRun((await session()).caller, id, reason ?? null, undo, ifRevision),
    pause: async (reason, { ifRevision } = {}) =>
      pauseRun((await session()).caller, id, reason ?? null, ifRevision),
    resume: async ({ ifRevision } = {}) => resumeRun((await session()).caller, id, ifRevision),
    prioritize: async (priority, { ifRevision } = {}) =>
      prioritizeRun((await session()).caller, id, priority, ifRevision),
    revision: async () => readRevision((await session()).caller, id),
    redrive: async (options) => redriveRun((await session()).caller, id, options),
    fork: async (step, options) =>
      fork((await session()).caller, { run: id, step, newRun: newId() }, options),
    rerun: async (options) => rerun((await session()).caller, { run: id, newRun: newId() }, options),
    lineage: async () => readLineage((await session()).caller, id),
    progress: async () => progressOf(await readProgress((await session()).caller, id)),
    stream: <Value>(options: StreamOptions = {}) => follow<Value>(session, id, options),
    artifacts: async () => artifactsOf((await session()).caller, id),
    artifact: async (name) => openArtifact({ caller: (await session()).caller, store }, id, name),
    why: async (step, item) => whyOf(await why((await session()).caller, id, step, item)),
    delete: async ({ dryRun = false, reason }: DeleteOptions = {}) =>
      deleteRun((await session()).caller, id, { dry: dryRun, reason: reason ?? null }),
  }
}

async function* follow<Value>(
  session: () => Promise<Session>,
  id: string,
  options: StreamOptions,
): AsyncGenerator<StreamPart<Value>, void, undefined> {
  yield* (await session()).streams.follow<Value>(id, options)
}
