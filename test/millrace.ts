// A client and workers on one test database: what a test opened is ended with the test, and statements can be counted.
import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, vi } from 'vitest'
import { type Client, type ClientOptions, connect } from '../src/sdk/client.ts'
import { startWorker, type Worker } from '../src/worker/worker.ts'
import type { WorkerLogEntry, WorkerOptions } from '../src/worker/options.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { until } from './deadline.ts'

export interface Opened {
  client(options?: Partial<ClientOptions>): Client
  worker(options: Omit<WorkerOptions, 'database'> & { readonly database?: string }): Promise<Worker>
  /** What the workers logged, errors and warnings. */
  readonly log: WorkerLogEntry[]
  close(): Promise<void>
}

/** In afterEach, close() stops every worker by force and closes every client. */
export function openOn(database: Pick<TestDatabase, 'url'>): Opened {
  const clients = new Set<Client>()
  const workers = new Set<Worker>()
  const log: WorkerLogEntry[] = []
  return {
    log,
    client: (options = {}) => {
      const client = connect({ database: database.url, ...options })
      clients.add(client)
      return client
    },
    worker: async (options) => {
      const worker = await startWorker({
        database: database.url,
        log: (entry) => log.push(entry),
        ...options,
      })
      workers.add(worker)
      return worker
    },
    close: async () => {
      await Promise.all([...workers].map((worker) => worker.stop({ force: true })))
      await Promise.all([...clients].map((client) => client.close()))
      workers.clear()
      clients.clear()
      log.length = 0
    },
  }
}

/** The database of a test file, with whatever is opened on it: what a test opened ends with it, and the time that it moved goes back. */
export async function openMillrace(): Promise<{ database: TestDatabase; opened: Opened }> {
  const database = await createTestDatabase()
  const opened = openOn(database)
  afterAll(() => database.close())
  afterEach(async () => {
    await opened.close()
    await database.clock.reset()
  })
  return { database, opened }
}

/** An address of the same database that no worker of this process is known under. */
export function asOther(url: string): string {
  const other = new URL(url)
  other.searchParams.set('application_name', 'other')
  return other.href
}

/** Something that comes once, and can be waited for. */
export class Arrival<T = void> {
  readonly come: Promise<T>
  #arrive: (value: T) => void = () => {}

  constructor() {
    this.come = new Promise((resolve) => {
      this.#arrive = resolve
    })
  }

  arrive(value: T): void {
    this.#arrive(value)
  }
}

export interface CountedStatements {
  /** The names of the prepared statements that this process has sent since. */
  readonly sent: string[]
  /** How many of them have no answer yet. */
  readonly underWay: number
  stop(): void
}

/** Counts what this process sends from now on. */
export function countStatements(): CountedStatements {
  const sent: string[] = []
  let underWay = 0
  const query = pg.Client.prototype.query
  const spy = vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (
    this: pg.Client,
    ...given: unknown[]
  ) {
    const [first] = given
    const name =
      typeof first === 'object' && first !== null
        ? (Reflect.get(first, 'name') ?? Reflect.get(first, 'text'))
        : first
    sent.push(String(name))
    underWay++
    const answered = () => void underWay--
    const last = given.at(-1)
    // A pool hears of the answer by a callback, everybody else by a promise.
    if (typeof last === 'function') {
      given[given.length - 1] = (...answer: unknown[]) => {
        answered()
        last(...answer)
      }
      return Reflect.apply(query, this, given) as never
    }
    const answer = Reflect.apply(query, this, given) as unknown as Promise<unknown>
    answer.then(answered, answered)
    return answer as never
  } as never)
  return {
    sent,
    get underWay() {
      return underWay
    },
    stop: () => spy.mockRestore(),
  }
}

const restTurns = 40
const restTurnMs = 10

/**
 * When the only worker has said that it sleeps and has looked again each time: from then on it sends nothing but heartbeats.
 * Counted from before the worker began to rest. Its looks are timers of this same process, at most 200 ms apart: so as many turns of a
 * shorter timer in which nothing was sent or awaited are proof, however slow the machine is.
 */
export async function atRest(statements: CountedStatements): Promise<void> {
  await until('the worker sleeps', () => statements.sent.includes('millrace_sleep_worker'))
  for (let seen = -1, quiet = 0; quiet < restTurns; quiet++) {
    if (seen !== statements.sent.length || statements.underWay > 0) quiet = 0
    seen = statements.sent.length
    await pause(restTurnMs)
  }
}

/** Draws that repeat: the same seed, the same numbers. */
export function seededDraws(seed: string): () => number {
  let count = 0
  return () => createHash('sha256').update(`${seed} ${count++}`).digest().readUInt32BE(0) / 2 ** 32
}
