// The reports that an executor outside could not send: kept in their order, bounded, sent when the database is back, and the gap told.
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import { isAway } from '../db/database-error.ts'
import { reportGap } from '../db/runs.ts'
import { isUndoneByConflict, retryWhen } from '../db/transaction.ts'

export interface ReportBufferOptions {
  /** How many reports are kept at most. Log lines go first where there are more. */
  readonly bufferMax: number
  /** Called with `report_buffer_full` for a report that was dropped. */
  readonly onDropped?: (error: MillraceError) => void
  /** Milliseconds of a clock that is never set, to tell how long the gap was. */
  readonly monotonic?: () => number
}

/** Which attempt at which step somebody holds. Its attempt is null where it was taken while the database was away. */
export interface Hold {
  readonly runId: string
  readonly step: string
  /** -1 for a plain step. */
  readonly item: number
  readonly attempt: number | null
}

/** Sends a report; late is one that was kept first, so that its reporter knows nothing of the answer. */
export type Send<T> = (caller: Caller, isLate: boolean) => Promise<T>

interface BufferedReport {
  readonly runId: string
  readonly send: Send<unknown>
  readonly expendable: boolean
}

interface Gap {
  readonly since: number
  reports: number
  refused: number
  dropped: number
}

const tryAgainMs = { min: 200, max: 5_000 }
/**
 * How many runs and steps that were begun without the database are known by what became of them, at least: as many as reports are kept, of which each
 * may need one. The oldest is forgotten first.
 */
const rememberedMin = 10_000

export class ReportBuffer {
  readonly #options: ReportBufferOptions
  readonly #open: () => Promise<Caller>
  readonly #monotonic: () => number
  readonly #reports: BufferedReport[] = []
  /** By the run's id as its reporter knows it. */
  readonly #gaps = new Map<string, Gap>()
  readonly #realRuns = new Map<string, string>()
  readonly #attempts = new Map<string, number>()
  #flushing: Promise<boolean> | undefined
  #timer: NodeJS.Timeout | undefined
  #failures = 0
  #closed = false

  constructor(options: ReportBufferOptions, open: () => Promise<Caller>) {
    this.#options = options
    this.#open = open
    this.#monotonic = options.monotonic ?? (() => performance.now())
  }

  /** Whether something waits to be sent: then everything new waits behind it. */
  get isWaiting(): boolean {
    return this.#reports.length > 0 || this.#gaps.size > 0
  }

  /** Sends a report, or keeps it while the database is away. Rejects with what the database says against it. */
  async report<T>(
    runId: string,
    send: Send<T>,
    { expendable = false }: { readonly expendable?: boolean } = {},
  ): Promise<T | 'buffered'> {
    if (!this.isWaiting || (await this.flush())) {
      try {
        const caller = await this.#open()
        return await retryWhen(isUndoneByConflict, () => send(caller, false))
      } catch (error) {
        if (!isAway(error)) throw error
      }
    }
    this.#keep({ runId, send, expendable })
    return 'buffered'
  }

  /** Sends what it keeps, in order. True where nothing is left. */
  flush(): Promise<boolean> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined
    })
    return this.#flushing
  }

  async close(): Promise<void> {
    if (this.isWaiting) await this.flush()
    this.#closed = true
    clearTimeout(this.#timer)
  }

  /** A run that was begun under a provisional id turned out to be another. */
  isReally(provisional: string, runId: string): void {
    if (provisional !== runId) this.#remember(this.#realRuns, provisional, runId)
  }

  realRun(runId: string): string {
    return this.#realRuns.get(runId) ?? runId
  }

  /** A step that was taken without the database has its attempt. */
  isAttempt(hold: Hold, attempt: number): void {
    this.#remember(this.#attempts, nameOf(hold), attempt)
  }

  attemptOf(hold: Hold): number | undefined {
    return this.#attempts.get(nameOf(hold))
  }

  #remember<Value>(known: Map<string, Value>, name: string, value: Value): void {
    // What is said once more is the youngest.
    known.delete(name)
    known.set(name, value)
    const rememberedMax = Math.max(rememberedMin, this.#options.bufferMax)
    if (known.size > rememberedMax) known.delete(known.keys().next().value!)
  }

  #keep(report: BufferedReport): void {
    const gap = this.#gapOf(report.runId)
    if (this.#reports.length < this.#options.bufferMax || this.#dropExpendable()) {
      this.#reports.push(report)
    } else {
      gap.dropped++
      this.#tellDropped(report.runId)
    }
    this.#tryLater()
  }

  /** Where more runs than reports are kept wait to be told of theirs, as where starts were dropped, the gap of another one is told nowhere. */
  #gapOf(runId: string): Gap {
    const known = this.#gaps.get(runId)
    if (known !== undefined) return known
    const gap = { since: this.#monotonic(), reports: 0, refused: 0, dropped: 0 }
    if (this.#gaps.size < this.#options.bufferMax) this.#gaps.set(runId, gap)
    return gap
  }

  #dropExpendable(): boolean {
    const index = this.#reports.findIndex(({ expendable }) => expendable)
    if (index < 0) return false
    const [{ runId }] = this.#reports.splice(index, 1) as [BufferedReport]
    this.#gapOf(runId).dropped++
    this.#tellDropped(runId)
    return true
  }

  #tellDropped(runId: string): void {
    const { bufferMax, onDropped } = this.#options
    onDropped?.(
      new MillraceError(
        'report_buffer_full',
        `A report on run ${runId} was dropped: ${bufferMax} wait for the database already.`,
        {
          fields: { runId, bufferMax },
        },
      ),
    )
  }

  async #flush(): Promise<boolean> {
    try {
      while (this.#reports.length > 0) await this.#sendFirst()
      for (const [runId, gap] of this.#gaps) await this.#tellGap(runId, gap)
    } catch (error) {
      if (!isAway(error)) throw error
      this.#tryLater()
      return false
    }
    this.#failures = 0
    return true
  }

  async #sendFirst(): Promise<void> {
    const report = this.#reports[0]!
    const gap = this.#gapOf(report.runId)
    try {
      const caller = await this.#open()
      await retryWhen(isUndoneByConflict, () => report.send(caller, true))
      gap.reports++
    } catch (error) {
      if (isAway(error)) throw error
      // Too late: the attempt lost its step meanwhile, or the run ended. The fence holds for what comes late as well.
      gap.refused++
    }
    this.#forget(report)
  }

  /** A full buffer may have dropped it while it was being sent. */
  #forget(report: BufferedReport): void {
    if (this.#reports[0] === report) this.#reports.shift()
  }

  async #tellGap(runId: string, gap: Gap): Promise<void> {
    const caller = await this.#open()
    const told = reportGap(caller, this.realRun(runId), { ...gap, lastedMs: this.#monotonic() - gap.since })
    await told.catch((error: unknown) => {
      // A run that was refused has no account to tell it in.
      if (isAway(error)) throw error
    })
    this.#gaps.delete(runId)
  }

  #tryLater(): void {
    if (this.#closed) return
    clearTimeout(this.#timer)
    const wait = Math.min(tryAgainMs.min * 2 ** this.#failures++, tryAgainMs.max)
    this.#timer = setTimeout(() => void this.flush().catch(() => {}), wait)
    this.#timer.unref()
  }
}

function nameOf({ runId, step, item }: Hold): string {
  return `${runId} ${step} ${item}`
}
