// Connections to PostgreSQL with Millrace's settings: names, timeouts, value parsers, and errors in sentences.
import pg from 'pg'
import { MillraceError } from '../core/errors.ts'
import { translateDatabaseError } from './database-error.ts'
import { valueParsers } from './value-parsers.ts'

export interface ConnectionOptions {
  connectionString: string
  /** What pg_stat_activity shows; 'millrace' by default. */
  applicationName?: string
  /** Milliseconds a statement may take on a direct connection; 0 means no bound. Default 60,000. */
  statementTimeoutMs?: number
  /** Whether a transaction of a direct connection only reads, unless it says otherwise. */
  readsOnly?: boolean
  /** Milliseconds until an unanswered connect fails. Default 10,000. */
  connectTimeoutMs?: number
  /** Milliseconds until a statement that nobody answers counts as a lost connection; as long as it takes by default. */
  answerTimeoutMs?: number
}

export interface PoolOptions extends ConnectionOptions {
  /** The most connections that this pool opens. Default 10. */
  connectionsMax?: number
  /** Milliseconds until an idle connection is closed; 0 keeps it. Default 30,000. */
  idleMs?: number
  /** Called with the error of a connection that broke while idle; the pool replaces it by itself. */
  onIdleError?: (error: Error) => void
}

/** How long an answer may take: longer than the server lets a statement take by default, so that what is silent for so long is gone. */
export const answerMsMax = 65_000

/**
 * Opens one connection.
 *
 * @throws MillraceError connection_string_invalid, database_unreachable, database_login_refused,
 *   database_missing, database_full
 */
export async function connectClient(options: ConnectionOptions): Promise<pg.Client> {
  const database = describeDatabase(options.connectionString)
  const client = new pg.Client(clientSettings(options))
  // Without a listener a server that goes away ends the process; the next query reports the loss anyway.
  client.on('error', () => {})
  try {
    await client.connect()
    await boundStatements(client, options)
    return client
  } catch (error) {
    await client.end().catch(() => {})
    throw translateDatabaseError(error, database)
  }
}

/**
 * Makes a pool; connections are opened when they are first needed, so an unreachable server shows then.
 *
 * @throws MillraceError connection_string_invalid
 */
export function createPool(options: PoolOptions): pg.Pool {
  describeDatabase(options.connectionString)
  const pool = new pg.Pool({
    ...clientSettings(options),
    Client: SelfEndingClient,
    max: options.connectionsMax ?? 10,
    idleTimeoutMillis: options.idleMs ?? 30_000,
    // The pool waits for the promise, though its types do not say so: nobody gets a connection without a bound.
    onConnect: (client): unknown => boundStatements(client, options),
  })
  pool.on('error', (error) => options.onIdleError?.(error))
  // The pool listens to idle connections only: one that breaks in somebody's hands would end the process. Its next query says so.
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

/**
 * Ends its socket where it could not log in. A server that refuses does so itself; where the driver gives up, as without a password, the
 * socket would stay open, and a process with it, until the server has waited long enough.
 */
class SelfEndingClient extends pg.Client {
  override connect(): Promise<pg.Client>
  override connect(callback: (error: Error | null, client: pg.Client) => void): void
  override connect(callback?: (error: Error | null, client: pg.Client) => void): Promise<pg.Client> | void {
    if (callback === undefined) return super.connect()
    super.connect((error: Error | null) => {
      if (error !== null) cutClient(this)
      callback(error, this)
    })
  }
}

/**
 * Whether something stands between this client and its backend (PgBouncer and the like): the process id that
 * greeted the client is then not the one that answers.
 */
export async function isPooled(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return rows[0]?.pid !== processId(client)
}

/**
 * Whether something stands between a pool's clients and their backends. Makes the first connection.
 *
 * @throws MillraceError database_unreachable, database_login_refused, database_missing, database_full
 */
export async function isPoolPooled(pool: pg.Pool, database: string): Promise<boolean> {
  let client: pg.PoolClient | undefined
  try {
    client = await pool.connect()
    return await isPooled(client)
  } catch (error) {
    throw translateDatabaseError(error, database)
  } finally {
    client?.release()
  }
}

/**
 * Names a database as host:port/database, without user and password, so that it may be printed.
 *
 * @throws MillraceError connection_string_invalid
 */
export function describeDatabase(connectionString: string): string {
  const { host, port, database, user } = parseConnection(connectionString)
  const address = host.includes(':') ? `[${host}]` : host
  return `${address}:${port}/${database ?? user ?? ''}`
}

/** Ends a connection without a word: a half-open socket never finishes a polite end. Its queries fail as lost. */
export function cutClient(client: pg.ClientBase): void {
  ;(client as pg.Client).connection.stream.destroy()
}

/** Names the database that a client is connected to, as host:port/database. */
export function describeClient(client: pg.ClientBase): string {
  const { host, port, database } = client as pg.Client
  return `${host}:${port}/${database ?? ''}`
}

// The driver reads the string (and the PG* variables) itself. Its error is not passed on as a cause: it
// carries the whole string, password included.
function parseConnection(connectionString: string): pg.Client {
  // Anything else the driver takes for the name of a database, password and all.
  if (!/^(?:postgres(?:ql)?:\/\/|socket:|\/)/.test(connectionString))
    throw unusable('it does not begin with postgres://')
  try {
    return new pg.Client({ connectionString })
  } catch (error) {
    throw unusable(error instanceof Error ? error.message : 'it cannot be read')
  }
}

function unusable(reason: string): MillraceError {
  return new MillraceError('connection_string_invalid', `The connection string is not usable: ${reason}.`, {
    hint: 'Write it as postgres://user:password@host:5432/database, special characters percent-encoded.',
  })
}

function clientSettings(options: ConnectionOptions): pg.ClientConfig {
  return {
    connectionString: options.connectionString,
    application_name: options.applicationName ?? 'millrace',
    connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
    ...(options.answerTimeoutMs === undefined ? {} : { query_timeout: options.answerTimeoutMs }),
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: valueParsers,
  }
}

// PgBouncer refuses timeouts at connect and hands a session's settings to strangers, so the bound is set
// afterwards, and only where the backend that answers is the one that greeted us. Behind a pooler the role's
// own setting holds (sql/roles.sql). The server probes the connection too: a client whose network is gone keeps
// its locks, and its liveness lock, no longer than that.
async function boundStatements(
  client: pg.ClientBase,
  { statementTimeoutMs = 60_000, readsOnly = false }: ConnectionOptions,
): Promise<void> {
  await client.query(
    `select set_config('statement_timeout', $1, false), set_config('tcp_keepalives_idle', '10', false),
       set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false),
       case when $3 then set_config('default_transaction_read_only', 'on', false) end
     where pg_backend_pid() = $2`,
    [String(Math.trunc(statementTimeoutMs)), processId(client), readsOnly],
  )
}

// The driver keeps it public; its types forget it.
function processId(client: pg.ClientBase): number | null {
  return (client as pg.ClientBase & { processID: number | null }).processID
}
