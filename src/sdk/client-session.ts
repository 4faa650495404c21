// Owns what a client has open: its way to the database, the batches of its starts, and what it hears of runs.
import { randomUUID } from 'node:crypto'
import { type Caller, clientCaller, poolCaller } from '../db/call.ts'
import { type createPool, describeDatabase, isPoolPooled } from '../db/connection.ts'
import { inPoolTransaction } from '../db/transaction.ts'
import { localWorker } from './local-worker.ts'
import { RunResults } from './result.ts'
import { RunNews } from './run-news.ts'
import { RunStreams } from './run-stream.ts'
import type { SealedRuns } from './sealed-runs.ts'
import type { PendingStart, StartVia } from './start.ts'
import { StartBatches } from './start-batches.ts'
import type { StartParts } from './start-call.ts'
import { UnderWay } from './under-way.ts'

export interface Session extends StartParts {
  /** Its calls, those that wait for a connection among them. */
  readonly calls: UnderWay
  readonly starts: StartBatches
  readonly news: RunNews
  readonly results: RunResults
  readonly streams: RunStreams
}

export interface SessionOptions {
  readonly database: string
  readonly directDatabase?: string
  readonly via: StartVia
  readonly sealed: (caller: Caller) => SealedRuns
}

/** @throws MillraceError database_unreachable, and whatever else keeps the first connection from being made */
export async function openSession(
  pool: ReturnType<typeof createPool>,
  { database, directDatabase, via, sealed: sealedBy }: SessionOptions,
): Promise<Session> {
  const described = describeDatabase(database)
  const pooled = await isPoolPooled(pool, described)
  const inPool = poolCaller(pool, { prepare: !pooled, database: described })
  const calls = new UnderWay()
  const caller: Caller = { call: (statement, values) => calls.during(inPool.call(statement, values)) }
  const news = new RunNews(directDatabase ?? database)
  const watcher = randomUUID()
  const sealed = sealedBy(caller)
  const parts: StartParts = {
    caller,
    sealed,
    via,
    inTransaction: (work) =>
      inPoolTransaction(pool, described, (client) => work(clientCaller(client, !pooled))),
  }
  return {
    ...parts,
    calls,
    starts: new StartBatches(parts, (starts) => workerFor(database, starts), pool.options.max),
    news,
    results: new RunResults({ caller, news, watcher, sealed }),
    streams: new RunStreams({ caller, news, watcher, sealed }),
  }
}

/** The worker of this process, where it serves all that is started. */
function workerFor(database: string, starts: readonly PendingStart[]) {
  const worker = localWorker(database)
  const handsOver = ({ row, key }: PendingStart) =>
    key !== undefined && worker?.serves(row.slug, row.version) === true
  return starts.every(handsOver) ? worker : undefined
}
