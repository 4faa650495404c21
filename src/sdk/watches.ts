// What applications do with watches: see how they stand, define, pause and remove them, and tell them rows that are there already.
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import {
  abortBackfill,
  type BackfillRow,
  defineWatch,
  listWatches,
  pauseWatch,
  removeWatch,
  startBackfill,
  type WatchRow,
} from '../db/watches.ts'
import type { Startable } from './startable.ts'
import { type WatchOptions, watchSettings } from './watch.ts'

export type BackfillInfo = BackfillRow

export interface WatchInfo
  extends Pick<
    WatchRow,
    | 'name'
    | 'pipeline'
    | 'tenant'
    | 'settings'
    | 'source'
    | 'revision'
    | 'waiting'
    | 'held'
    | 'gaps'
    | 'backfills'
  > {
  /** With its schema. */
  readonly table: string
  readonly changedAt: Date
  readonly changedBy: string
  readonly pausedAt: Date | null
  /** Gone from the code: it starts nothing any more. */
  readonly retiredAt: Date | null
  readonly installedAt: Date | null
  readonly installedBy: string | null
  /** What is wrong with its capture, in sentences: none where each change is recorded. */
  readonly problems: readonly string[]
  /** Since when the oldest change waits to be told. */
  readonly oldestAt: Date | null
  /** Why starts were refused that are tried again; of the latest. */
  readonly heldReason: string | null
  readonly runsStarted: number
  readonly changesTold: number
  /** Of rows that came and went within the time in which changes are gathered. */
  readonly changesDropped: number
  readonly loopsCut: number
  readonly lastCut: WatchRow['last_cut']
  readonly lastGap: string | null
}

export class Watches {
  readonly #caller: () => Promise<Caller>

  constructor(caller: () => Promise<Caller>) {
    this.#caller = caller
  }

  /** By name. */
  async list(): Promise<WatchInfo[]> {
    return (await listWatches(await this.#caller(), null)).map(infoOf)
  }

  /** @throws MillraceError watch_unknown */
  async show(name: string): Promise<WatchInfo> {
    const [row] = await listWatches(await this.#caller(), name)
    if (row === undefined) throw unknownWatch(name)
    return infoOf(row)
  }

  /**
   * Defines a watch, or changes it; answers its revision. From then on it is an operator's, and what code declares under the same name changes
   * nothing. What it asks of its table is installed with `millrace watch apply`.
   *
   * @throws MillraceError watch_invalid, revision_conflict
   */
  async define<P extends Startable>(
    name: string,
    table: string,
    { ifRevision, ...options }: Omit<WatchOptions<P>, 'name'> & { readonly ifRevision?: number },
  ): Promise<{ readonly revision: number }> {
    const settings = watchSettings(table, options as WatchOptions<P>)
    return { revision: await defineWatch(await this.#caller(), { name, settings }, ifRevision) }
  }

  /** Its changes are recorded meanwhile. True where it was not paused. @throws MillraceError watch_unknown */
  async pause(name: string): Promise<boolean> {
    return pauseWatch(await this.#caller(), name, true)
  }

  /** What was recorded meanwhile starts its runs now. True where it was paused. @throws MillraceError watch_unknown */
  async resume(name: string): Promise<boolean> {
    return pauseWatch(await this.#caller(), name, false)
  }

  /** With the changes that were not told yet; only once its triggers are gone. @throws MillraceError watch_invalid, watch_unknown */
  async remove(name: string): Promise<void> {
    if (!(await removeWatch(await this.#caller(), name))) throw unknownWatch(name)
  }

  /**
   * Tells rows that are there already as if they had changed, with the operation `backfill`; workers do it, batch by batch.
   *
   * @param where a condition in SQL over the table's columns; `true` for all rows
   * @throws MillraceError watch_invalid, watch_not_allowed, watch_unknown
   */
  async backfill(name: string, where: string): Promise<{ readonly id: number }> {
    return { id: await startBackfill(await this.#caller(), name, where) }
  }

  /** What was told stays told. True where something was left to do. @throws MillraceError watch_unknown */
  async abortBackfill(id: number): Promise<boolean> {
    return abortBackfill(await this.#caller(), id)
  }
}

export function unknownWatch(name: string): MillraceError {
  return new MillraceError('watch_unknown', `There is no watch '${name.slice(0, 100)}'.`, {
    fields: { name },
  })
}

function infoOf(row: WatchRow): WatchInfo {
  return {
    name: row.name,
    pipeline: row.pipeline,
    table: row.relation,
    tenant: row.tenant,
    settings: row.settings,
    source: row.source,
    revision: row.revision,
    changedAt: row.changed_at,
    changedBy: row.changed_by,
    pausedAt: row.paused_at,
    retiredAt: row.retired_at,
    installedAt: row.installed_at,
    installedBy: row.installed_by,
    problems: row.problems,
    waiting: row.waiting,
    oldestAt: row.oldest_at,
    held: row.held,
    heldReason: row.held_reason,
    runsStarted: Number(row.runs_started),
    changesTold: Number(row.changes_told),
    changesDropped: Number(row.changes_dropped),
    loopsCut: Number(row.loops_cut),
    lastCut: row.last_cut,
    gaps: row.gaps,
    lastGap: row.last_gap,
    backfills: row.backfills,
  }
}
