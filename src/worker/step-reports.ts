// What one attempt says while it runs: checked at once, gathered, and stored with what the others of this turn say.
import { MillraceError } from '../core/errors.ts'
import { checkJson } from '../core/json.ts'
import {
  type Labels,
  metadataPatch,
  metricNamesMax,
  metricReport,
  metricSeriesMax,
  partText,
  progressText,
  reportBytesMax,
  type ReportRefusal,
  reportRefused,
} from '../core/reports.ts'
import type { ReportRow } from '../db/streams.ts'
import type { Reporting } from '../sdk/reporting.ts'
import { AttemptAborted, type HeldTask } from './held-task.ts'
import { readSecrets } from './read-secrets.ts'

/** Of two things that a step says of itself the later one counts: so they are stored this often at most, and what it says at its end is stored then. */
const everyMs = 200
/** So many parts of an attempt wait at most: a handler that awaits none of its writes is told. */
const partsWaitingMax = 10_000
const charactersWaitingMax = 8_388_608

export interface StepReportsParts {
  /** Something is to be stored. */
  readonly said: (reports: StepReports) => void
  /** When all so far is stored. */
  readonly stored: () => Promise<void>
  readonly monotonic: () => number
}

/** Parts that go together, and who waits for them. */
interface Writing {
  readonly done: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** What the database made of a batch, for one attempt. */
export type ReportEnd = 'kept' | 'attempt_lost' | ReportRefusal | Error

export class StepReports implements Reporting {
  readonly task: HeldTask
  readonly #parts: StepReportsParts
  #progress: string | undefined
  #metadata = new Map<string, unknown>()
  #metrics = new Map<string, string>()
  readonly #metricNames = new Set<string>()
  readonly #metricSeries = new Set<string>()
  #stream: string[] = []
  #streamCharacters = 0
  /** How many parts this attempt has written. */
  #streamCount = 0
  /** Those that are being stored, or are to be. */
  #waiting = { parts: 0, characters: 0 }
  #writing: Writing | undefined
  #queued = false
  #storedAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #refusal: Error | undefined

  constructor(task: HeldTask, parts: StepReportsParts) {
    this.task = task
    this.#parts = parts
  }

  readonly progress = (done: number, total?: number, note?: string): void => {
    this.#refuse()
    const text = progressText(done, total, note === undefined ? note : readSecrets.redact(String(note)))
    if (this.#isOver) return
    this.#progress = text
    this.#soon()
  }

  readonly setMetadata = (patch: Readonly<Record<string, unknown>>): void => {
    this.#refuse()
    const laidOver = new Map([...this.#metadata, ...metadataPatch(readSecrets.redactValue(patch))])
    checkJson(Object.fromEntries(laidOver), { what: 'the metadata of a run', maxBytes: reportBytesMax })
    if (this.#isOver) return
    this.#metadata = laidOver
    this.#soon()
  }

  readonly metric = (name: string, value: number, labels?: Labels): void => {
    this.#refuse()
    const metric = metricReport(name, value, readSecrets.redactValue(labels))
    const isBeyond = (known: ReadonlySet<string>, one: string, most: number) =>
      !known.has(one) && known.size >= most
    if (
      isBeyond(this.#metricNames, metric.name, metricNamesMax) ||
      isBeyond(this.#metricSeries, metric.series, metricSeriesMax)
    )
      throw reportRefused('metrics_too_many', this.task.step.name)
    this.#metricNames.add(metric.name)
    this.#metricSeries.add(metric.series)
    if (this.#isOver) return
    this.#metrics.set(metric.series, metric.text)
    this.#soon()
  }

  readonly stream = {
    write: (part: unknown): Promise<void> => {
      this.#refuse()
      const text = this.#sealed(partText(part))
      if (this.#isOver) throw this.#gone()
      this.#wait(text.length)
      this.#stream.push(text)
      this.#streamCharacters += text.length
      this.#writing ??= newWriting()
      this.#now()
      return this.#writing.done
    },
  }

  /** Takes what is to be stored. */
  take(): { readonly rows: readonly ReportRow[]; readonly settle: (end: ReportEnd) => void } {
    const { taskId, step, attempt } = this.task
    const rows: ReportRow[] = []
    const add = (kind: ReportRow['kind'], body: string, number: number | null = null) =>
      rows.push({ taskId, stepId: step.id, attempt, kind, body, number })
    if (this.#progress !== undefined) add('progress', this.#progress)
    if (this.#metadata.size > 0) add('metadata', JSON.stringify(Object.fromEntries(this.#metadata)))
    for (const text of this.#metrics.values()) add('metric', text)
    for (const text of this.#stream) add('part', text, this.#streamCount++)
    const taken = { parts: this.#stream.length, characters: this.#streamCharacters, writing: this.#writing }
    this.#progress = undefined
    this.#metadata = new Map()
    this.#metrics = new Map()
    this.#stream = []
    this.#streamCharacters = 0
    this.#writing = undefined
    this.#queued = false
    this.#storedAt = this.#parts.monotonic()
    return { rows, settle: (end) => this.#settle(end, taken) }
  }

  /** When all that the attempt said is stored; answers with what was refused of it. */
  async stored(): Promise<Error | undefined> {
    this.#stopTimer()
    if (this.#hasSaid) this.#now()
    await this.#parts.stored()
    return this.#refusal
  }

  #settle(end: ReportEnd, taken: { parts: number; characters: number; writing: Writing | undefined }): void {
    this.#waiting.parts -= taken.parts
    this.#waiting.characters -= taken.characters
    if (end === 'kept') {
      taken.writing?.resolve()
      return
    }
    if (end === 'attempt_lost') {
      taken.writing?.reject(this.#gone())
      return
    }
    this.#refusal = typeof end === 'string' ? reportRefused(end, this.task.step.name) : end
    taken.writing?.reject(this.#refusal)
  }

  #sealed(text: string): string {
    const { run, step, item } = this.task
    return run.cipher?.seal('stream', step.name, item, text) ?? readSecrets.redactJson(text)
  }

  /** What was refused before would be again. */
  #refuse(): void {
    if (this.#refusal !== undefined) throw this.#refusal
  }

  /** Nobody stores what it says any more. */
  get #isOver(): boolean {
    return this.task.lost || this.task.reported
  }

  get #hasSaid(): boolean {
    const hasWord = this.#progress !== undefined || this.#metadata.size > 0 || this.#metrics.size > 0
    return hasWord || this.#stream.length > 0
  }

  #gone(): unknown {
    if (this.task.abort.aborted) return this.task.abort.reason
    return new AttemptAborted('the attempt has ended, or no longer holds its step')
  }

  #wait(characters: number): void {
    const { parts, characters: waiting } = this.#waiting
    if (parts >= partsWaitingMax || waiting + characters > charactersWaitingMax)
      throw new MillraceError(
        'stream_unawaited',
        `Step '${this.task.step.name}' writes parts faster than they are stored, and awaits none: ${parts} wait already.`,
        { fields: { step: this.task.step.name, waiting: parts } },
      )
    this.#waiting.parts++
    this.#waiting.characters += characters
  }

  #now(): void {
    this.#stopTimer()
    if (this.#queued) return
    this.#queued = true
    this.#parts.said(this)
  }

  #soon(): void {
    if (this.#queued || this.#timer !== undefined) return
    const wait = this.#storedAt + everyMs - this.#parts.monotonic()
    if (wait <= 0) this.#now()
    else {
      this.#timer = setTimeout(() => this.#now(), wait)
      this.#timer.unref()
    }
  }

  #stopTimer(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

function newWriting(): Writing {
  let resolve = () => {}
  let reject: Writing['reject'] = () => {}
  const done = new Promise<void>((kept, refused) => {
    resolve = kept
    reject = refused
  })
  // Who awaits no write hears of a refusal at the next one, or at the end of the attempt.
  done.catch(() => {})
  return { done, resolve, reject }
}
