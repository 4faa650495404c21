// A connection that listens: notifications, and the worker's liveness lock, which lives as long as this connection does.
import type pg from 'pg'
import { connectClient, isPooled } from './connection.ts'

/** First key of the liveness locks; the second is the worker's lock key. The sweep looks for the same number. */
const livenessClass = 77421

const pingMs = 10_000
/** For how many pings it may leave unread what it is told. */
const unreadPings = 3
const closeMs = 2_000
const reconnectMsMin = 100
const reconnectMsMax = 5_000

export interface ListenerOptions {
  readonly connectionString: string
  readonly applicationName?: string
  readonly channels: readonly string[]
  readonly onNotify: (channel: string, message: string) => void
  /** Called when a connection listens (again): what was notified meanwhile was missed. */
  readonly onListening?: () => void
  readonly onLost?: (error: Error) => void
  /** Milliseconds between pings; 10,000 by default. An answer may take half as long. */
  readonly pingMs?: number
}

/**
 * Listens for as long as it is not closed: a lost connection is made anew, with growing pauses. A connection that only looks
 * alive is found by a ping (each 10 s, 5 s for the answer), not by TCP two hours later. Behind a transaction pooler notifications
 * are never delivered and a session's locks leak, so there it closes itself and says so.
 */
export class Listener {
  readonly #options: ListenerOptions
  readonly #pingMs: number
  #client: pg.Client | undefined
  #timer: NodeJS.Timeout | undefined
  #failures = 0
  #closed = false
  #pooled = false
  #lockKey: number | undefined
  #locked = false
  #starting: Promise<void> | undefined

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#pingMs = options.pingMs ?? pingMs
  }

  /** Whether notifications arrive at present. */
  get listening(): boolean {
    return this.#client !== undefined
  }

  /** Whether this can't work, because a pooler stands in between. */
  get pooled(): boolean {
    return this.#pooled
  }

  /** Whether the liveness lock is held at present. */
  get locked(): boolean {
    return this.#locked && this.#client !== undefined
  }

  /** Tries to connect once; whatever comes of it, it goes on trying in the background. */
  start(): Promise<void> {
    this.#starting ??= this.#connect()
    return this.#starting
  }

  /** Takes the liveness lock of a worker, now and again after each reconnect. */
  async holdLock(lockKey: number): Promise<void> {
    this.#lockKey = lockKey
    this.#locked = false
    await this.#takeLock()
  }

  /** Ends the connection and makes another: what it heard is not to be trusted, and whatever lock it holds is free. */
  reconnect(): void {
    this.#lockKey = undefined
    if (this.#client !== undefined) this.#lost(this.#client, new Error('the connection is made anew'))
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    const client = this.#client
    this.#client = undefined
    if (client === undefined) return
    // A half-open socket never finishes a polite end.
    const cut = setTimeout(() => client.connection.stream.destroy(), closeMs)
    await client.end().catch(() => {})
    clearTimeout(cut)
  }

  async #connect(): Promise<void> {
    if (this.#closed) return
    let client: pg.Client | undefined
    try {
      client = await connectClient({
        connectionString: this.#options.connectionString,
        applicationName: this.#options.applicationName ?? 'millrace listener',
        connectTimeoutMs: Math.max(1_000, this.#pingMs / 2),
      })
      const connected = client
      this.#pooled = await this.#answered(connected, () => isPooled(connected))
      if (!this.#pooled) await this.#answered(connected, () => this.#listen(connected))
    } catch (error) {
      await client?.end().catch(() => {})
      this.#retry(error as Error)
      return
    }
    if (this.#pooled || this.#closed) await client.end().catch(() => {})
    else await this.#use(client)
  }

  /** The queue of notifications is kept for the slowest listener of the server: one that does not read for so long is ended by the server. */
  async #listen(client: pg.Client): Promise<void> {
    await client.query("select set_config('tcp_user_timeout', $1, false)", [`${this.#pingMs * unreadPings}`])
    for (const channel of this.#options.channels) await client.query(`listen ${channel}`)
  }

  async #use(client: pg.Client): Promise<void> {
    client.on('notification', (message) => this.#options.onNotify(message.channel, message.payload ?? ''))
    client.on('error', (error) => this.#lost(client, error))
    client.on('end', () => this.#lost(client, new Error('the connection ended')))
    this.#client = client
    this.#failures = 0
    await this.#takeLock()
    if (this.#client !== client) return
    this.#schedulePing(client)
    this.#options.onListening?.()
  }

  async #takeLock(): Promise<void> {
    const client = this.#client
    if (client === undefined || this.#lockKey === undefined || this.#locked) return
    try {
      const { rows } = await this.#answered(client, () =>
        client.query<{ locked: boolean }>('select pg_try_advisory_lock($1, $2) as locked', [
          livenessClass,
          this.#lockKey,
        ]),
      )
      this.#locked = rows[0]?.locked === true
    } catch (error) {
      this.#lost(client, error as Error)
    }
  }

  #schedulePing(client: pg.Client): void {
    // A lock that somebody's dying session still held is tried again soon: until then only the lease protects this worker.
    const wait = this.#lockKey !== undefined && !this.#locked ? 500 : this.#pingMs
    this.#timer = setTimeout(() => void this.#ping(client), wait)
    this.#timer.unref()
  }

  async #ping(client: pg.Client): Promise<void> {
    if (this.#client !== client) return
    try {
      await this.#answered(client, () => client.query('select 1'))
      await this.#takeLock()
      if (this.#client === client) this.#schedulePing(client)
    } catch (error) {
      this.#lost(client, error as Error)
    }
  }

  /** Half as long as pings are apart, also for what is asked before the first of them: a connection that only looks alive ends. */
  async #answered<Answer>(client: pg.Client, ask: () => Promise<Answer>): Promise<Answer> {
    const silent = new Error('the server did not answer')
    const deadline = setTimeout(() => client.connection.stream.destroy(silent), this.#pingMs / 2)
    deadline.unref()
    try {
      return await ask()
    } finally {
      clearTimeout(deadline)
    }
  }

  #lost(client: pg.Client, error: Error): void {
    if (this.#client !== client) return
    this.#client = undefined
    this.#locked = false
    clearTimeout(this.#timer)
    // A half-open socket never finishes a polite end.
    client.connection.stream.destroy()
    this.#retry(error)
  }

  #retry(error: Error): void {
    if (this.#closed) return
    if (this.#failures === 0) this.#options.onLost?.(error)
    const wait = Math.min(reconnectMsMin * 2 ** this.#failures++, reconnectMsMax) * (0.5 + Math.random() / 2)
    this.#timer = setTimeout(() => void this.#connect(), wait)
    this.#timer.unref()
  }
}
