// The reports that an executor outside could not send: kept in their order, bounded, sent when the database is back, and the gap told.
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import { isAway, isRefusal, sqlState } from '../db/database-error.ts'
import { reportGap } from '../db/runs.ts'
import { isUndoneByConflict, retryWhen } from '../db/transaction.ts'

export interface ReportBufferOptions {
  /** How many reports are kept at most. Log lines go first where there are more. */
  readonly bufferMax: number
  /** Called for a report that was dropped: with `report_buffer_full`, or with `report_failed` where the database failed at it time and again. */
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
  failures: number
}

interface Gap {
  readonly since: number
  failures: number
  reports: number
  refused: number
  dropped: number
}

const tryAgainMs = { min: 200, max: 5_000 }
/** After so many tries, about half a minute, what fails while the database lets us in is not kept any longer: the reports behind it wait. */
const failuresMax = 10
const away = Symbol('away')
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
  /** The last try failed: until the next one, which is the timer's or a flush by hand, nobody waits for the database. */
  #isFailing = false
  /** The last failure was that nobody is let in, and not one at what was sent. */
  #isShutOut = false
  /** What the database lacked for as many tries as one report has, such as a right: whatever fails at the same has no tries of its own. */
  readonly #lacking = new Set<string>()
  #closed = false

  constructor(options: ReportBufferOptions, open: () => Promise<Caller>) {
    this.#options = options
    this.#open = open
    this.#monotonic = options.monotonic ?? (() => performance.now())
  }

  /** Whether something waits to be sent: then everything new waits behind it. */
  get #isWaiting(): boolean {
    return this.#reports.length > 0 || this.#gaps.size > 0
  }

  /** Sends a report, or keeps it while the database is away. Rejects with what the database says against it. */
  async report<T>(
    runId: string,
    send: Send<T>,
    { expendable = false }: { readonly expendable?: boolean } = {},
  ): Promise<T | 'buffered'> {
    const answer = (await this.#hasCaughtUp()) ? await this.#try(send) : away
    if (answer !== away) return answer
    this.#keep({ runId, send, expendable, failures: 0 })
    return 'buffered'
  }

  /**
   * Asks of a hold what is of no use later, also past a report that the database fails at. Undefined while the database is away, or knows nothing
   * of the hold yet. Rejects with what it says against it.
   */
  async ask<T>(hold: Hold, send: Send<T>): Promise<T | undefined> {
    if (!(await this.#hasCaughtUp()) && (this.#isShutOut || !this.#isTold(hold))) return undefined
    const answer = await this.#try(send)
    return answer === away ? undefined : answer
  }

  /** Sends what it keeps, in order. True where nothing is left. */
  flush(): Promise<boolean> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined
    })
    return this.#flushing
  }

  async close(): Promise<void> {
    if (this.#isWaiting) await this.flush()
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

  async #hasCaughtUp(): Promise<boolean> {
    return !this.#isFailing && (!this.#isWaiting || (await this.flush()))
  }

  async #try<T>(send: Send<T>): Promise<T | typeof away> {
    try {
      const caller = await this.#open()
      return await retryWhen(isUndoneByConflict, () => send(caller, false))
    } catch (error) {
      if (!isAway(error)) throw error
      this.#isShutOut = true
      this.#tryLater()
      return away
    }
  }

  #isTold(hold: Hold): boolean {
    return hold.attempt !== null || this.attemptOf(hold) !== undefined
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
      this.#tellFull(report.runId)
    }
    this.#tryLater()
  }

  /** Where more runs than reports are kept wait to be told of theirs, as where starts were dropped, the gap of another one is told nowhere. */
  #gapOf(runId: string): Gap {
    const known = this.#gaps.get(runId)
    if (known !== undefined) return known
    const gap = { since: this.#monotonic(), failures: 0, reports: 0, refused: 0, dropped: 0 }
    if (this.#gaps.size < this.#options.bufferMax) this.#gaps.set(runId, gap)
    return gap
  }

  #dropExpendable(): boolean {
    const index = this.#reports.findIndex(({ expendable }) => expendable)
    if (index < 0) return false
    const [{ runId }] = this.#reports.splice(index, 1) as [BufferedReport]
    this.#gapOf(runId).dropped++
    this.#tellFull(runId)
    return true
  }

  #tellFull(runId: string): void {
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
      while (this.#isWaiting) {
        await (this.#reports.length > 0 ? this.#sendFirst() : this.#tellFirstGap())
        this.#progress()
      }
    } catch (error) {
      this.#isShutOut = isShutOut(error)
      this.#tryLater()
      return false
    }
    this.#progress()
    this.#lacking.clear()
    return true
  }

  /** What is sent or dropped holds up nothing more, and the next failure is another one's first. */
  #progress(): void {
    this.#isFailing = false
    this.#failures = 0
  }

  async #sendFirst(): Promise<void> {
    const report = this.#reports[0]!
    const gap = this.#gapOf(report.runId)
    let failed: unknown
    try {
      const caller = await this.#open()
      await retryWhen(isUndoneByConflict, () => report.send(caller, true))
      gap.reports++
    } catch (error) {
      if (isRefusal(error)) {
        // Too late: the attempt lost its step meanwhile, or the run ended. The fence holds for what comes late as well.
        gap.refused++
      } else {
        this.#keepTrying(report, error)
        gap.dropped++
        failed = error
      }
    }
    this.#forget(report)
    if (failed !== undefined) this.#tellFailed(report, failed)
  }

  /** Throws what failed as long as it is to be tried again: for good where nobody is let in, since that is no fault of what is sent. */
  #keepTrying(sent: { failures: number }, error: unknown): void {
    if (isShutOut(error)) throw error
    if (++sent.failures < failuresMax && !this.#lacking.has(String(error))) throw error
    if (isLack(error)) this.#lacking.add(String(error))
  }

  /** A full buffer may have dropped it while it was being sent. */
  #forget(report: BufferedReport): void {
    if (this.#reports[0] === report) this.#reports.shift()
  }

  async #tellFirstGap(): Promise<void> {
    const [runId, gap] = this.#gaps.entries().next().value!
    const { since, failures: _, ...counts } = gap
    try {
      const caller = await this.#open()
      await reportGap(caller, this.realRun(runId), { ...counts, lastedMs: this.#monotonic() - since })
    } catch (error) {
      // A run that was refused has no account to tell it in.
      if (!isRefusal(error)) this.#keepTrying(gap, error)
    }
    this.#gaps.delete(runId)
  }

  #tellFailed({ runId, failures }: BufferedReport, cause: unknown): void {
    const times = failures === 1 ? 'with' : `${failures} times, at last with`
    this.#options.onDropped?.(
      new MillraceError(
        'report_failed',
        `A report on run ${runId} was dropped: the database failed at it ${times}: ${String(cause)}`,
        { fields: { runId }, cause },
      ),
    )
  }

  #tryLater(): void {
    this.#isFailing = true
    if (this.#closed || this.#timer !== undefined) return
    const wait = Math.min(tryAgainMs.min * 2 ** this.#failures++, tryAgainMs.max)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      void this.flush()
    }, wait)
    this.#timer.unref()
  }
}

function isShutOut(error: unknown): boolean {
  if (isAway(error)) return true
  return (
    error instanceof MillraceError &&
    (error.code === 'database_login_refused' || error.code === 'database_missing')
  )
}

/** Whether a right or a function is missing, which seldom changes from one try to the next. */
function isLack(error: unknown): boolean {
  return sqlState(error)?.startsWith('42') ?? false
}

function nameOf({ runId, step, item }: Hold): string {
  return `${runId} ${step} ${item}`
}
