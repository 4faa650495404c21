// A worker for platforms that run code only while a request lasts, such as edge functions: woken by a request, it works for one shift and answers when it has left.
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import { catalogue, type ErrorCode, MillraceError } from '../core/errors.ts'
import { type Problem, statusByCode } from '../api/problem.ts'
import { isPassing } from './flush.ts'
import { pause, within } from './connections.ts'
import { wholeNumber, type WorkerOptions, workerSettings } from './options.ts'
import { type BegunWorker, beginWorker } from './worker.ts'

export interface EdgeWorkerOptions extends WorkerOptions {
  /** What a request must show, as Authorization: Bearer SECRET; 32 characters at least. Whoever knows it can wake the worker, and nothing else. */
  readonly secret: string | undefined
  /** Milliseconds that a request may take altogether, give or take a second; less than the platform allows. 120,000 by default, 1,000 at least. */
  readonly withinMs?: number
  /** Milliseconds without anything to do after which it leaves. 1,000 by default; twice the heartbeat is sensible. */
  readonly idleMs?: number
}

/** What a shift came to. */
export interface ShiftReport {
  /** How many attempts it began. */
  readonly attempts: number
  /** Why it left: there was nothing to do, or its time was over, so that there may be more. */
  readonly ended: 'idle' | 'time'
}

const secretMin = 32
const lookEveryMs = 25
/** Beside draining, for what a worker says when it leaves. */
const leaveMs = 1_000

/**
 * Makes the handler of such a function. A POST wakes the worker, which runs the `http` steps on queue `edge` (or what `queues` and `kinds` name)
 * until nothing is left or its time is nearly over, finishes what it holds for `drainMs` (a quarter of the time by default), gives back the
 * rest, which counts as no failure, and leaves. Requests that come meanwhile share its shift. It answers a ShiftReport, or problem details: 401, 405, 503 where the database can't be reached, 500 otherwise.
 *
 * @throws MillraceError worker_option_invalid, encryption_key_invalid, target_invalid
 */
export function edgeWorker(options: EdgeWorkerOptions): (request: Request) => Promise<Response> {
  const settings = shiftSettings(options)
  const { log, monotonic } = workerSettings(settings.worker)
  const expected = digestOf(settings.secret)
  let shift: Shift | undefined
  return async (request) => {
    const endsAt = monotonic() + settings.withinMs
    if (request.method !== 'POST') return refusal('method_not_allowed', { allow: 'POST' })
    if (!timingSafeEqual(digestOf(shownBy(request)), expected))
      return refusal('not_signed_in', { 'www-authenticate': 'Bearer' })
    if (shift === undefined || shift.leaving) shift = new Shift(settings, monotonic, endsAt, shift)
    try {
      return Response.json(await shift.report, { headers: { 'cache-control': 'no-store' } })
    } catch (error) {
      const correlationId = randomUUID()
      const message = `The edge worker could not work: ${(error as Error).message}`
      log({ level: 'error', message, fields: { correlation_id: correlationId } })
      return isPassing(error)
        ? refusal('server_unavailable', { 'retry-after': '5' }, correlationId)
        : refusal('server_failed', {}, correlationId)
    }
  }
}

interface ShiftSettings {
  readonly worker: WorkerOptions
  readonly secret: string
  readonly withinMs: number
  readonly drainMs: number
  readonly idleMs: number
}

function shiftSettings({
  secret,
  withinMs: within,
  idleMs: idle,
  ...worker
}: EdgeWorkerOptions): ShiftSettings {
  if (secret === undefined || secret.length < secretMin) {
    throw new MillraceError(
      'worker_option_invalid',
      `The worker's secret must be a text of ${secretMin} characters at least, or anybody could wake it.`,
      { fields: { option: 'secret' } },
    )
  }
  const withinMs = wholeNumber('withinMs', within ?? 120_000, 1_000, 86_400_000)
  const idleMs = wholeNumber('idleMs', idle ?? 1_000, 10, withinMs)
  const drainMs = wholeNumber('drainMs', worker.drainMs ?? Math.floor(withinMs / 4), 0, withinMs)
  return {
    worker: { name: 'edge', queues: ['edge'], kinds: ['http'], ...worker, drainMs },
    secret,
    withinMs,
    drainMs,
    idleMs,
  }
}

/** One stay of the worker: it begins when the one before is over, and its request's time counts from its coming. */
class Shift {
  readonly report: Promise<ShiftReport>
  readonly #settings: ShiftSettings
  readonly #monotonic: () => number
  #leaving = false

  constructor(settings: ShiftSettings, monotonic: () => number, endsAt: number, before: Shift | undefined) {
    this.#settings = settings
    this.#monotonic = monotonic
    this.report = this.#work(endsAt, before)
  }

  /** Whether it takes nothing more. */
  get leaving(): boolean {
    return this.#leaving
  }

  async #work(endsAt: number, before: Shift | undefined): Promise<ShiftReport> {
    await before?.report.catch(() => {})
    const { worker, serving } = beginWorker(this.#settings.worker)
    const over = new AbortController()
    const claimsUntil = endsAt - this.#settings.drainMs
    const watch = setInterval(() => this.#monotonic() >= claimsUntil && over.abort(), lookEveryMs)
    let ended: ShiftReport['ended']
    try {
      // A worker waits for its database for as long as it takes; this one only for its time.
      const serves = await Promise.race([
        serving.then(() => true),
        pause(this.#settings.withinMs, over.signal).then(() => false),
      ])
      if (!serves) throw tooLate()
      ended = await this.#untilIdle(worker, over.signal)
    } finally {
      this.#leaving = true
      clearInterval(watch)
      over.abort()
      // A database that has gone silent would keep it for a minute more: what it holds then runs elsewhere once its lease is over.
      await within(this.#settings.drainMs + leaveMs, worker.stop())
    }
    return { attempts: worker.attempts, ended }
  }

  async #untilIdle(worker: BegunWorker, over: AbortSignal): Promise<ShiftReport['ended']> {
    let begun = worker.attempts
    let idleSince = this.#monotonic()
    while (!over.aborted) {
      await pause(lookEveryMs, over)
      if (worker.held > 0 || worker.attempts !== begun) idleSince = this.#monotonic()
      else if (this.#monotonic() - idleSince >= this.#settings.idleMs) return 'idle'
      begun = worker.attempts
    }
    return 'time'
  }
}

function tooLate(): MillraceError {
  return new MillraceError('database_unreachable', 'The worker reached no database within its time.', {
    hint: 'Look at what it logged before, and raise withinMs where the database only needs longer.',
  })
}

/** Of one length, so that they can be compared in constant time. */
function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function shownBy(request: Request): string {
  return /^bearer (.+)$/i.exec(request.headers.get('authorization') ?? '')?.[1] ?? ''
}

function refusal(
  code: ErrorCode,
  headers: Record<string, string>,
  correlationId: string = randomUUID(),
): Response {
  const status = statusByCode[code]!
  const body: Problem = {
    type: `urn:millrace:error:${code}`,
    title: catalogue[code].cause,
    status,
    code,
    correlation_id: correlationId,
  }
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
  })
}
