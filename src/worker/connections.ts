// The connections of a worker: one each kept for heartbeats, for claims, outcomes and checkpoints, two for artifacts and for triggers, one for upkeep, some for handlers; one more listens.
import type pg from 'pg'
import { MillraceError } from '../core/errors.ts'
import { type Caller, lastingCaller, poolCaller } from '../db/call.ts'
import { answerMsMax, createPool, cutClient, describeDatabase, isPoolPooled } from '../db/connection.ts'
import { eachInTransaction } from '../db/sql-tag.ts'
import { isPassing } from './flush.ts'
import type { WorkerSettings } from './options.ts'

export interface WorkerConnections {
  /** Kept for heartbeats, so that handlers that hold every other connection can't cost the worker its lease. */
  readonly heartbeat: Caller
  /** When the connection of heartbeats was made, in monotonic milliseconds: whose connections were cut before that, nobody here can tell. */
  readonly connectedAt: () => number
  readonly claims: Caller
  readonly outcomes: Caller
  /** For the results of durable operations, one connection; made when the first one comes. */
  readonly checkpointPool: pg.Pool
  /** For the bytes of artifacts; made when the first ones come. */
  readonly artifacts: Caller
  /** For what starts runs by itself, which neither steps that hold every connection of handlers nor upkeep must keep waiting; made when first needed. */
  readonly triggers: Caller
  /** For what a worker does for all of them now and then; made when first needed. */
  readonly upkeep: Caller
  /** Whether statements are prepared by name. */
  readonly prepare: boolean
  /** For what reads. Behind no pooler the transactions of this pool only read, unless they say otherwise. */
  readonly handlers: Caller
  /** The same connections, for what writes. */
  readonly writes: Caller
  readonly handlerPool: pg.Pool
  /** Whether a pooler stands in between: then there are no notifications and no liveness lock. */
  readonly pooled: boolean
  /** Named in errors. */
  readonly database: string
  /** Ends connections where they stand, all of them or those for one purpose: what looked alive may be half open, and what a lost attempt still does is undone. */
  cut(purpose?: Purpose): void
  /** Also called again. */
  close(): Promise<void>
}

/** How many there are at most for each purpose, beside those for handlers. */
const connectionsMaxBy = {
  heartbeat: 1,
  claims: 1,
  outcomes: 1,
  checkpoints: 1,
  artifacts: 2,
  triggers: 2,
  upkeep: 1,
}
type Purpose = keyof typeof connectionsMaxBy | 'handlers'
/** What a worker may open beside those for handlers: these, and the one that listens. */
export const connectionsBeside = Object.values(connectionsMaxBy).reduce((sum, one) => sum + one, 1)

const closeMs = 5_000
/** Raised by tell_set_aside. */
const setAsideState = 'MR196'
const toldAgainMs = 600_000
const toldMax = 100
const waitMsMin = 100
const waitMsMax = 5_000

/**
 * Connects, for as long as it takes: a worker may be started before its database. Ends early when `stopped` fires.
 *
 * @throws MillraceError database_login_refused, database_missing: a worker that never got in would wait for a mistake to mend itself
 */
export async function openConnections(
  settings: WorkerSettings,
  stopped: AbortSignal,
): Promise<WorkerConnections> {
  const database = describeDatabase(settings.database)
  const probe = createPool({ connectionString: settings.database, connectionsMax: 1 })
  try {
    const pooled = await connectedAtLast(() => isPoolPooled(probe, database), settings, stopped, mayComeIn)
    return connectionsOf(settings, database, pooled)
  } finally {
    await probe.end()
  }
}

function connectionsOf(settings: WorkerSettings, database: string, pooled: boolean): WorkerConnections {
  const pools: pg.Pool[] = []
  const clients = new Map<pg.PoolClient, Purpose>()
  let closing: Promise<unknown> | undefined
  const open = (purpose: Purpose, answerTimeoutMs?: number) => {
    const pool = createPool({
      connectionString: settings.database,
      applicationName: `millrace ${purpose}`,
      connectionsMax: purpose === 'handlers' ? settings.connectionsMax : connectionsMaxBy[purpose],
      connectTimeoutMs: Math.max(3_000, Math.min(settings.leaseSeconds * 500, 10_000)),
      ...(answerTimeoutMs === undefined ? {} : { answerTimeoutMs }),
      ...(purpose === 'heartbeat' ? { idleMs: 0 } : {}),
      readsOnly: purpose === 'handlers',
    })
    pool.on('connect', (client) => clients.set(client, purpose))
    pool.on('remove', (client) => clients.delete(client))
    pools.push(pool)
    return pool
  }
  const prepared = { prepare: !pooled, database }
  const unprepared = { prepare: false, database }
  const caller = (pool: pg.Pool) => poolCaller(pool, prepared)
  const heartbeatPool = open('heartbeat', settings.leaseSeconds * 1_000)
  tellSetAside(heartbeatPool, settings)
  const connectedAt = connectedSince(heartbeatPool, settings.monotonic)
  const handlerPool = open('handlers')
  const handlers = poolCaller(handlerPool, unprepared)
  return {
    // A socket that only looks alive is found by a missing answer, not by TCP a quarter of an hour later.
    heartbeat: lastingCaller(heartbeatPool, prepared),
    connectedAt,
    claims: caller(open('claims', answerMsMax)),
    outcomes: caller(open('outcomes', answerMsMax)),
    checkpointPool: open('checkpoints', answerMsMax),
    artifacts: caller(open('artifacts', answerMsMax)),
    triggers: poolCaller(open('triggers', answerMsMax), unprepared),
    upkeep: poolCaller(open('upkeep', answerMsMax), unprepared),
    prepare: !pooled,
    handlers,
    writes: pooled ? handlers : eachInTransaction(handlerPool, 'read write', database),
    handlerPool,
    pooled,
    database,
    cut: (purpose) => {
      for (const [client, its] of clients) if (purpose === undefined || its === purpose) cutClient(client)
    },
    close: async () => {
      // A handler that hangs may hold a connection for ever: the process's end closes that.
      closing ??= within(closeMs, Promise.all(pools.map((pool) => pool.end())))
      await closing
    },
  }
}

/** What a pass over all tasks came upon and left for later: each sentence once in a while, since passes come twice a second. */
function tellSetAside(pool: pg.Pool, { log, monotonic }: WorkerSettings): void {
  const told = new Map<string, number>()
  pool.on('connect', (client) =>
    client.on('notice', ({ code, message }) => {
      if (code !== setAsideState || message === undefined) return
      const now = monotonic()
      for (const [sentence, at] of told) if (now - at > toldAgainMs) told.delete(sentence)
      if (told.has(message) || told.size >= toldMax) return
      told.set(message, now)
      log({ level: 'error', message })
    }),
  )
}

/** When the one connection of a pool was made; infinitely late while there is none. */
function connectedSince(pool: pg.Pool, monotonic: () => number): () => number {
  let since = Number.POSITIVE_INFINITY
  let current: pg.PoolClient | undefined
  pool.on('connect', (client) => {
    current = client
    since = monotonic()
    client.once('end', () => {
      if (current === client) since = Number.POSITIVE_INFINITY
    })
  })
  return () => since
}

/** Whether a server that was never entered may let the worker in later, without anybody's doing. */
function mayComeIn(error: unknown): boolean {
  return isPassing(error) && !(error instanceof MillraceError && error.code === 'database_login_refused')
}

/**
 * Tries until it succeeds, with growing pauses and one log line each time the reason changes. By default a refused login is waited
 * out as well: who was in before is locked out only while a password is being changed.
 */
export async function connectedAtLast<T>(
  attempt: () => Promise<T>,
  { log, random }: WorkerSettings,
  stopped: AbortSignal,
  isWorthWaiting: (error: unknown) => boolean = isPassing,
): Promise<T> {
  let told = ''
  for (let failures = 0; ; failures++) {
    try {
      return await attempt()
    } catch (error) {
      if (stopped.aborted || !isWorthWaiting(error)) throw error
      const message = (error as Error).message
      if (message !== told) log({ level: 'warn', message: `Waiting for the database: ${message}` })
      told = message
      await pause(Math.min(waitMsMin * 2 ** failures, waitMsMax) * (0.5 + random() / 2), stopped)
    }
  }
}

/** Waits, or until the signal fires. */
export function pause(ms: number, stopped: AbortSignal): Promise<void> {
  if (stopped.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      stopped.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    stopped.addEventListener('abort', done)
  })
}

/** Waits for the work, but not longer than so many milliseconds; answers whether it is over. */
export async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  const enough = new AbortController()
  const isOver = await Promise.race([work.then(() => true), pause(ms, enough.signal).then(() => false)])
  enough.abort()
  return isOver
}
