// Brings the schema `millrace` of a database to what this package's sql/ folder says.
//
// All pending migrations and all functions are applied in one transaction under one lock: a migrator that is
// killed leaves nothing behind, and a second one waits, looks again, and finds nothing to do. A migration whose
// first line is `-- outside a transaction` (an index built concurrently) stands alone between two such
// transactions; it must be able to run twice (a build that was killed leaves an invalid index, so it begins with
// `drop index concurrently if exists`), names the schema, needs a direct connection, and is best the last of its
// release.
//
// Because functions are applied anew from their files at each change:
// (a) a changed signature needs `drop function millrace.f(old arguments)` in a numbered migration, since
//     `create or replace` changes neither a result type nor an argument's name, and a changed list of arguments
//     would leave a second overload beside the first; an apply that ends with an overload is refused;
// (b) no table default, index or constraint calls one of our functions, except those made by migration 0001:
//     tables are changed before the functions are;
// (c) functions are the API of workers that still run the previous version: arguments are added with defaults,
//     and a function leaves in a major version only. So a function whose file is gone is not dropped here; the
//     migration of that major version drops it.
// (d) a migration names its tables as millrace.name: by that they are found, and locked before any of them is changed, with those that
//     get a policy or row security by grants.sql.
import type pg from 'pg'
import { MillraceError } from '../core/errors.ts'
import { clientCaller } from './call.ts'
import { connectClient, describeClient } from './connection.ts'
import { translateDatabaseError } from './database-error.ts'
import { dropLeftOverIndexes, listLeftOverIndexes } from './left-over-indexes.ts'
import { isUpToDate } from './migration-plan.ts'
import { applyStage, type MigrateSession, readPlan } from './migration-stage.ts'
import { createRoles, planRoles, type RolesResult } from './roles.ts'
import { readSchemaFiles } from './schema-files.ts'
import { inTransaction } from './transaction.ts'
import type { WaitOptions } from './migration-lock.ts'

export type MigrateOptions = MigrateTarget & {
  /** A folder like this package's sql/, which is the default. */
  directory?: string
  /** Only says what would be done, in a read-only transaction. */
  plan?: boolean
  /** Gets a line for each thing done. */
  log?: (line: string) => void
  /**
   * Milliseconds that a statement waits for a lock before the whole transaction is undone and tried again; half a second at most for a table
   * while it has another one that is to be changed. Default 5,000.
   */
  lockTimeoutMs?: number
  /** A draw from [0, 1), for the jitter of waits. */
  random?: () => number
  wait?: (ms: number) => Promise<unknown>
}

/** A connection string, or a connected client that is in no transaction; the client stays open. */
export type MigrateTarget =
  | { connectionString: string; client?: never }
  | { client: pg.ClientBase; connectionString?: never }

export interface MigrateResult {
  /** The files applied by this call, in order. */
  applied: string[]
  /** With `plan`: the files that would be applied; empty otherwise. */
  pending: string[]
  /** The left-over indexes that this call dropped (with `plan`: would drop). */
  droppedIndexes: string[]
  /** How many functions this call applied (with `plan`: would apply). */
  functions: number
  roles: RolesResult
  /** The number of the last migration in the database after this call. */
  version: number
}

/**
 * Applies what is pending, or with `plan` says what that is. Returns quickly when there is nothing to do.
 *
 * @throws MillraceError migration_edited, migration_renamed, migration_gap, schema_newer, server_unsupported,
 *   database_rights_missing, migration_failed, migration_blocked, function_overloaded, sql_file_invalid,
 *   sql_files_missing, pooler_unsupported, and those of connectClient
 */
export async function migrate(options: MigrateOptions): Promise<MigrateResult> {
  const files = await readSchemaFiles(options.directory)
  const client = options.client ?? (await connectClient({ ...options, applicationName: 'millrace migrate' }))
  try {
    await checkServer(client)
    const session: MigrateSession = {
      client,
      files,
      log: options.log ?? (() => {}),
      lockTimeoutMs: options.lockTimeoutMs ?? 5_000,
      timing: waiting(options),
    }
    return await (options.plan ? planOnly(session) : applyAll(session))
  } catch (error) {
    throw translateDatabaseError(error, describeClient(client))
  } finally {
    if (options.connectionString !== undefined) await closeClient(client)
  }
}

function waiting({ random, wait, log }: MigrateOptions): WaitOptions {
  return {
    ...(random && { random }),
    ...(wait && { wait }),
    onWait: () => log?.('Another migrator is at work in this database; waiting for it to finish.'),
  }
}

async function closeClient(client: pg.ClientBase): Promise<void> {
  await (client as pg.Client).end().catch(() => {})
}

const SERVER_VERSION_MIN = 150_000

async function checkServer(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ number: number; name: string }>(
    `select current_setting('server_version_num')::int as number, current_setting('server_version') as name`,
  )
  const server = rows[0]
  if (server === undefined || server.number >= SERVER_VERSION_MIN) return
  throw new MillraceError(
    'server_unsupported',
    `Millrace needs PostgreSQL 15 or later; this server is ${server.name}.`,
    {
      fields: { server: server.name },
      hint: 'Upgrade the server, or point the connection string at another one.',
    },
  )
}

async function planOnly(session: MigrateSession): Promise<MigrateResult> {
  const { client, files, log } = session
  return inTransaction(
    client,
    async () => {
      const plan = await readPlan(session)
      const roles = await planRoles(client, files.roles)
      const functions = isUpToDate(plan) ? 0 : files.functions.length
      for (const { file } of plan.pending) log(`Would apply migration ${file}.`)
      if (functions > 0) log(`Would apply ${functions} functions and the grants.`)
      if (roles.sql !== '') log(`Would run for the roles:\n${roles.sql}`)
      if (isUpToDate(plan) && roles.sql === '') log('Nothing to do: the schema is up to date.')
      const version = files.migrations.length - plan.pending.length
      const leftOver = await listLeftOverIndexes(clientCaller(client))
      for (const { name } of leftOver)
        log(`Would drop the index ${name}, which a rebuild that was killed had left behind.`)
      const pending = plan.pending.map(({ file }) => file)
      return {
        applied: [],
        pending,
        droppedIndexes: leftOver.map(({ name }) => name),
        functions,
        roles,
        version,
      }
    },
    'begin read only',
  )
}

async function applyAll(session: MigrateSession): Promise<MigrateResult> {
  const { client, files, log } = session
  const roles = await createRoles(client, files.roles)
  reportRoles(roles, log)
  const applied: string[] = []
  let functions = 0
  for (let plan = await readPlan(session); !isUpToDate(plan); plan = await readPlan(session)) {
    const stage = await applyStage(session, plan)
    applied.push(...stage.applied)
    functions = Math.max(functions, stage.functions)
  }
  const droppedIndexes = await dropLeftOverIndexes(
    client,
    await listLeftOverIndexes(clientCaller(client)),
    session,
  )
  return { applied, pending: [], droppedIndexes, functions, roles, version: files.migrations.length }
}

function reportRoles({ created, sql }: RolesResult, log: (line: string) => void): void {
  if (created.length > 0) log(`Created the roles ${created.join(', ')}.`)
  if (sql === '') return
  log(
    `This login may not manage roles; Millrace goes on without. Let somebody with CREATEROLE run this, then migrate again:\n${sql}`,
  )
}
