// Owns what a handler says while it runs: how far it is, what its run is about, what it measures, and parts for others to read.
import type { Labels } from '../core/reports.ts'

export interface Reporting {
  /**
   * Says how far the step is. The latest word stands; words that come faster than five times a second are not all stored.
   *
   * @throws MillraceError progress_invalid
   */
  readonly progress: (done: number, total?: number, note?: string) => void
  /**
   * Lays names over the metadata of the run, which anybody may read while it runs; null takes a name away. 64 KB in all.
   *
   * @throws MillraceError json_invalid, json_too_large
   */
  readonly setMetadata: (patch: Readonly<Record<string, unknown>>) => void
  /**
   * Keeps a figure of the work itself. The last value that a step or an item gives to a name with these labels stands, so that an attempt
   * made again counts once. A run has 20 names at most, and 100 with their labels; a label is a text of at most 100 characters.
   *
   * @throws MillraceError metric_invalid, metrics_too_many
   */
  readonly metric: (name: string, value: number, labels?: Labels) => void
  /** The stream of the run, which others follow while it is written. */
  readonly stream: StreamWriter
}

export interface StreamWriter {
  /**
   * Appends a part: any JSON value of at most 64 KB; a run takes 100,000. Resolves once it is stored. Awaiting it keeps the writer no faster than
   * the database; without awaiting, parts are stored in their order all the same, the last before the step completes.
   *
   * @throws MillraceError json_invalid, json_too_large, stream_full, stream_unawaited
   */
  write(part: unknown): Promise<void>
}
