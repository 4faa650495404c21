// Following the stream of a run: part by part from any position, until the run has ended, over restarts of its workers and of the reader.
import { MillraceError } from '../core/errors.ts'
import { isFinal } from '../core/state.ts'
import type { Caller } from '../db/call.ts'
import { isAway } from '../db/database-error.ts'
import { followStream, type StreamRow } from '../db/streams.ts'
import type { RunNews } from './run-news.ts'
import type { SealedRuns } from './sealed-runs.ts'

/** Where notifications arrive, looking is only the net below them. */
const lookEveryMs = { listening: 5_000, deaf: 250 }
const awayMs = 500
const interestSeconds = 600
const partsPerLook = 100

export interface StreamOptions {
  /** The position of the first part wanted; 0, the first there is, unless told. To go on later: that of the last part read, plus 1. */
  readonly from?: number
  /** Ends the following, as leaving the loop does. */
  readonly abort?: AbortSignal
}

/** A part as it was written. */
export interface StreamPart<Value = unknown> {
  /** From 0, without a gap. */
  readonly position: number
  readonly value: Value
  readonly step: string
  /** Of a map: the place of the item. */
  readonly item: number | null
  /** Which attempt wrote it: one that is made again may write again what the one before it wrote. */
  readonly attempt: number
  readonly writtenAt: Date
}

export interface RunStreamsParts {
  readonly caller: Caller
  readonly news: RunNews
  /** Who is notified. */
  readonly watcher: string
  readonly sealed: SealedRuns
}

/** One for a client. */
export class RunStreams {
  readonly #parts: RunStreamsParts
  #closed = false

  constructor(parts: RunStreamsParts) {
    this.#parts = parts
  }

  /** Each part once and in order. A database that is away meanwhile is waited for. @throws MillraceError run_unknown, argument_invalid, client_closed */
  async *follow<Value>(
    runId: string,
    { from = 0, abort }: StreamOptions,
  ): AsyncGenerator<StreamPart<Value>, void, undefined> {
    checkPosition(from)
    let first = from
    while (!isAborted(abort)) {
      const news = this.#parts.news.next(runId)
      try {
        const rows = await this.#look(runId, first)
        for (const row of rows) {
          if (row.position === null) continue
          if (isAborted(abort)) return
          first = row.position + 1
          const { step, item } = row
          const value = await this.#parts.sealed.said('stream', runId, { step, item }, row.value)
          yield partOf<Value>({ ...row, value }, row.position)
        }
        if (rows.length === partsPerLook) continue
        if (rows[0] !== undefined && isFinal(rows[0].state)) return
        await heard(news, rows.length === 0 ? awayMs : this.#lookAgainMs(), abort)
      } finally {
        news.forget()
      }
    }
  }

  close(): void {
    this.#closed = true
  }

  #lookAgainMs(): number {
    return this.#parts.news.listening ? lookEveryMs.listening : lookEveryMs.deaf
  }

  /** Listens first, then registers and looks: a part in between is told by one of the two. No row where the database is away. */
  async #look(runId: string, first: number): Promise<readonly StreamRow[]> {
    if (this.#closed)
      throw new MillraceError('client_closed', `The client was closed while run ${runId} was followed.`)
    try {
      const { caller, news, watcher } = this.#parts
      await news.start()
      const page = { first, most: partsPerLook }
      return await followStream(caller, runId, page, { watcher, seconds: interestSeconds })
    } catch (error) {
      if (!this.#closed && isAway(error)) return []
      throw error
    }
  }
}

/** Asked anew each time: it changes while others are waited for. */
function isAborted(abort: AbortSignal | undefined): boolean {
  return abort?.aborted === true
}

async function heard(
  news: ReturnType<RunNews['next']>,
  ms: number,
  abort: AbortSignal | undefined,
): Promise<void> {
  const leave = () => news.forget()
  abort?.addEventListener('abort', leave, { once: true })
  if (isAborted(abort)) leave()
  await news.within(ms)
  abort?.removeEventListener('abort', leave)
}

function checkPosition(from: number): void {
  if (Number.isSafeInteger(from) && from >= 0 && from <= 2_147_483_647) return
  throw new MillraceError(
    'argument_invalid',
    `A stream has no position ${from}: it is a whole number from 0.`,
    {
      fields: { from },
    },
  )
}

function partOf<Value>(row: StreamRow, position: number): StreamPart<Value> {
  const { value, step, item, attempt, written_at: writtenAt } = row
  // What its writers put into it is for them to promise.
  return { position, value: value as Value, step, item: item < 0 ? null : item, attempt, writtenAt }
}
