// Waiting for the end of a run: told by the worker of this process, by notification, and by looking now and then.
import { MillraceError } from '../core/errors.ts'
import { answerWithin } from '../core/answer-within.ts'
import { heard } from '../core/heard.ts'
import type { Caller } from '../db/call.ts'
import { isFinal, type RunState } from '../core/state.ts'
import { isAway } from '../db/database-error.ts'
import type { RunStanding } from '../db/runs.ts'
import type { LocalEnd, LocalWorker } from './local-worker.ts'
import { RunLooks } from './run-looks.ts'
import type { RunNews } from './run-news.ts'
import type { SealedRuns } from './sealed-runs.ts'

/** A run that only this process's own worker holds is asked about in the database after this time, in case others took it over. */
const localOnlyMs = 1_000
/** Where notifications arrive, looking is only the net below them. */
const lookEveryMs = { listening: 10_000, deaf: 1_000 }
const awayMs = 500
/** However short the time is that somebody waits, the database has so long to answer. */
const answerMs = 1_000
export interface ResultOptions {
  /** Milliseconds to wait at most; without it, as long as it takes. */
  readonly timeoutMs?: number
}

export interface RunResultsParts {
  readonly caller: Caller
  readonly news: RunNews
  /** Who is notified. */
  readonly watcher: string
  readonly sealed: SealedRuns
}

/** One for a client: it listens from when the first result is awaited that no local worker tells. */
export class RunResults {
  readonly #looks: RunLooks
  readonly #news: RunNews
  readonly #sealed: SealedRuns
  #closed = false

  constructor({ caller, news, watcher, sealed }: RunResultsParts) {
    this.#looks = new RunLooks(caller, watcher)
    this.#news = news
    this.#sealed = sealed
  }

  /**
   * The output of a run. A database that is away, full or read-only meanwhile is waited for.
   *
   * @throws MillraceError run_failed, run_cancelled, run_unknown, wait_timeout, client_closed, encryption_key_missing
   */
  async result(
    runId: string,
    worker: LocalWorker | undefined,
    options: ResultOptions = {},
  ): Promise<unknown> {
    const deadline = deadlineOf(options)
    const told =
      worker === undefined
        ? undefined
        : await toldLocally(runId, worker, Math.min(localOnlyMs, deadline - performance.now()))
    if (told !== undefined && told !== null) return told.output
    return outputOf(runId, await this.#opened(runId, await this.#end(runId, deadline, options, true)))
  }

  /** The state in which a run has ended: waited for alike, whatever its output is. @throws MillraceError run_unknown, wait_timeout, client_closed */
  async ended(runId: string, options: ResultOptions = {}): Promise<RunState> {
    return (await this.#end(runId, deadlineOf(options), options, false)).state
  }

  async #end(runId: string, deadline: number, options: ResultOptions, values: boolean): Promise<RunStanding> {
    for (;;) {
      const news = this.#news.next(runId)
      try {
        const seen = await this.#lookBy(deadline, runId, values)
        if (!(seen instanceof Error) && isFinal(seen.state)) return seen
        const left = deadline - performance.now()
        if (left > 0) await news.within(Math.min(this.#lookAgainMs(seen), left))
        if (deadline <= performance.now()) throw waitTimeout(runId, options.timeoutMs!, seen)
      } finally {
        news.forget()
      }
    }
  }

  /** As it is where nothing is encrypted. */
  async #opened(runId: string, seen: RunStanding): Promise<RunStanding> {
    const { output, error } = seen
    return {
      ...seen,
      output: await this.#sealed.output(runId, output),
      error: await this.#sealed.error(runId, error),
    }
  }

  #lookAgainMs(seen: RunStanding | Error): number {
    if (seen instanceof Error) return awayMs
    return this.#news.listening ? lookEveryMs.listening : lookEveryMs.deaf
  }

  /** A look that has no answer by then is as one that finds the database away. */
  async #lookBy(deadline: number, runId: string, values: boolean): Promise<RunStanding | Error> {
    const look = heard(this.#look(runId, values))
    if (deadline === Number.POSITIVE_INFINITY) return look
    return answerWithin(
      Math.max(answerMs, deadline - performance.now()),
      look,
      new Error('it does not answer.'),
    )
  }

  /** How the run stands, or why the database can't say so at present. */
  async #look(runId: string, values: boolean): Promise<RunStanding | Error> {
    if (this.#closed)
      throw new MillraceError(
        'client_closed',
        `The client was closed while the result of run ${runId} was awaited.`,
      )
    try {
      return await this.#standing(runId, values)
    } catch (error) {
      if (!this.#closed && isAway(error)) return error as Error
      throw error
    }
  }

  /** What it still waits for is refused as soon as the news are closed. */
  close(): void {
    this.#closed = true
  }

  /** Listens first, then registers and looks: an end in between is told by one of the two. */
  async #standing(runId: string, values: boolean): Promise<RunStanding> {
    await this.#news.start()
    const standing = await this.#looks.look(runId, values)
    if (standing === undefined) {
      throw new MillraceError('run_unknown', `There is no run ${runId}.`, { fields: { runId } })
    }
    return standing
  }
}

/** What the worker of this process says of the run's end; undefined where it has no such run, or says nothing in time. */
async function toldLocally(runId: string, worker: LocalWorker, ms: number): Promise<LocalEnd | undefined> {
  // A timer of its own and no signal: aborting one builds an error with its stack, and each result would pay for it.
  let timer: NodeJS.Timeout | undefined
  let unwatch: (() => void) | undefined
  const end = await new Promise<LocalEnd | undefined>((resolve) => {
    unwatch = worker.watch(runId, resolve)
    if (unwatch === undefined) resolve(undefined)
    else timer = setTimeout(() => resolve(undefined), ms)
  })
  clearTimeout(timer)
  unwatch?.()
  return end
}

function deadlineOf({ timeoutMs }: ResultOptions): number {
  if (timeoutMs !== undefined && !(timeoutMs >= 0))
    throw new MillraceError(
      'argument_invalid',
      `The timeoutMs ${timeoutMs} of a result is no number from 0.`,
      {
        fields: { argument: 'timeoutMs' },
      },
    )
  return timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs
}

/** The output of a run that has ended. @throws MillraceError run_failed, run_cancelled */
export function outputOf(runId: string, standing: RunStanding): unknown {
  if (standing.state === 'completed') return standing.output
  if (standing.state === 'cancelled') {
    throw new MillraceError('run_cancelled', `Run ${runId} of '${standing.slug}' was cancelled.`, {
      fields: { runId },
    })
  }
  const error = standing.error as { message?: string; step?: string } | null
  const where = error?.step === undefined ? '' : ` in step '${error.step}'`
  throw new MillraceError(
    'run_failed',
    `Run ${runId} of '${standing.slug}' failed${where}: ${error?.message ?? 'no reason was given'}`,
    {
      fields: { runId, error },
      hint: `See what happened with: npx millrace run account ${runId}`,
    },
  )
}

function waitTimeout(runId: string, timeoutMs: number, seen: RunStanding | Error): MillraceError {
  const isUnknown = seen instanceof Error
  return new MillraceError(
    'wait_timeout',
    isUnknown
      ? `Whether run ${runId} ended within ${timeoutMs} ms is not known, since the database can't be used: ${seen.message}`
      : `Run ${runId} did not end within ${timeoutMs} ms; it goes on by itself.`,
    { fields: { runId, timeoutMs }, ...(isUnknown && { cause: seen }) },
  )
}
