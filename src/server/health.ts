// Owns how a server tells that it lives, that it can serve, and how the installation is. Many who ask share one look at the database.
import type pg from 'pg'
import type { HealthAnswer } from '../api/health.ts'
import { MillraceError } from '../core/errors.ts'
import type { Caller } from '../db/call.ts'
import { type HealthRow, readHealth, takesWrites } from '../db/health.ts'
import { checkSchemaOf } from '../db/schema-check.ts'

export interface HealthParts {
  readonly pool: pg.Pool
  readonly reads: Caller
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Whether somebody has seen that the schema fits. */
  readonly schemaFits: boolean
}

export interface Readiness {
  readonly status: 'ready' | 'unready'
  readonly reason?: string
}

const readinessMs = 1_000
const statusMs = 5_000
/** A look that takes longer counts as a database that is away. */
const lookMsMax = 2_000

export class Health {
  readonly #parts: HealthParts
  readonly #readiness: () => Promise<Readiness>
  readonly #facts: () => Promise<HealthRow | undefined>
  #schemaFits: boolean
  #draining = false

  constructor(parts: HealthParts) {
    this.#parts = parts
    this.#schemaFits = parts.schemaFits
    this.#readiness = shared(readinessMs, parts.now, () => this.#look())
    this.#facts = shared(statusMs, parts.now, () => inTime(readHealth(parts.reads)).catch(() => undefined))
  }

  /** From now on it is not ready: whoever spreads requests sends no more. */
  drain(): void {
    this.#draining = true
  }

  async readiness(): Promise<Readiness> {
    return this.#draining ? { status: 'unready', reason: 'stopping' } : this.#readiness()
  }

  /** Undefined where the database is away. At most five seconds old. */
  facts(): Promise<HealthRow | undefined> {
    return this.#facts()
  }

  async status(): Promise<HealthAnswer> {
    return statusOf(await this.#facts())
  }

  async #look(): Promise<Readiness> {
    try {
      if (!(await inTime(takesWrites(this.#parts.reads))))
        return { status: 'unready', reason: 'database_read_only' }
      if (!this.#schemaFits) await inTime(checkSchemaOf(this.#parts.pool))
      this.#schemaFits = true
      return { status: 'ready' }
    } catch (error) {
      return {
        status: 'unready',
        reason: error instanceof MillraceError ? error.code : 'database_unreachable',
      }
    }
  }
}

/** Red where the database is away, where tasks lie ready and no worker lives, and where a firing is overdue. */
export function statusOf(facts: HealthRow | undefined): HealthAnswer {
  if (facts === undefined)
    return {
      status: 'red',
      reasons: ['database_away'],
      db_connected: false,
      workers: null,
      queue_depth: null,
      queues: [],
      waiting: null,
      dead_letters: null,
      overdue_firings: null,
    }
  const depth = facts.queues.reduce((sum, { ready }) => sum + ready, 0)
  const reasons: HealthAnswer['reasons'] = [
    ...(facts.workers === 0 && depth > 0 ? (['no_worker'] as const) : []),
    ...(facts.overdue_firings > 0 ? (['firing_overdue'] as const) : []),
  ]
  return {
    status: reasons.length === 0 ? 'green' : 'red',
    reasons,
    db_connected: true,
    workers: facts.workers,
    queue_depth: depth,
    queues: [...facts.queues],
    waiting: facts.waiting,
    dead_letters: facts.dead_letters,
    overdue_firings: facts.overdue_firings,
  }
}

/** One look at a time, whose answer counts for so long: however many ask. */
function shared<T>(ms: number, now: () => number, look: () => Promise<T>): () => Promise<T> {
  let last: { readonly at: number; readonly answer: Promise<T> } | undefined
  return () => {
    if (last === undefined || now() - last.at >= ms) last = { at: now(), answer: look() }
    return last.answer
  }
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new MillraceError('database_unreachable', `No answer within ${lookMsMax} ms.`)),
      lookMsMax,
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
