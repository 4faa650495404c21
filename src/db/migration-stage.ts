// One stage of an apply: what goes into one transaction under the lock, or one migration that stands alone.
import type pg from 'pg'
import { MillraceError } from '../core/errors.ts'
import { isPooled } from './connection.ts'
import { sqlState } from './database-error.ts'
import { applyGrants, OUTSIDE_ROLES, tablesLockedByGrants } from './grants.ts'
import { inLockedTransaction, underSessionLock, type WaitOptions } from './migration-lock.ts'
import { isUpToDate, type MigrationPlan, nextMigrations, planMigration } from './migration-plan.ts'
import { blockingTable, lockTables, namedTables } from './migration-tables.ts'
import { existingRoles, roleNames } from './roles.ts'
import type { MigrationFile, SchemaFiles } from './schema-files.ts'
import {
  createRecord,
  forgetFunctionSet,
  readSchemaState,
  recordFunctionSet,
  recordMigration,
} from './schema-state.ts'
import { isWorthAnotherTry, LOCK_NOT_AVAILABLE, runFile } from './sql-file-run.ts'
import { splitStatements } from './sql-statements.ts'
import { inTransaction, retryWhen } from './transaction.ts'

export interface MigrateSession {
  client: pg.ClientBase
  files: SchemaFiles
  log: (line: string) => void
  lockTimeoutMs: number
  timing: WaitOptions
}

/** What is still to do, as the database stands now. */
export async function readPlan({ client, files }: MigrateSession): Promise<MigrationPlan> {
  return planMigration(files, await readSchemaState(client), await grantedRoles(client, files))
}

function grantedRoles(client: pg.ClientBase, files: SchemaFiles): Promise<string[]> {
  return existingRoles(client, [...roleNames(files.roles), ...OUTSIDE_ROLES])
}

export interface Stage {
  applied: string[]
  functions: number
}

const NOTHING: Stage = { applied: [], functions: 0 }

/** Applies what comes next in the plan, as far as one stage reaches; nothing when another migrator was faster. */
export function applyStage(session: MigrateSession, plan: MigrationPlan): Promise<Stage> {
  const [first] = nextMigrations(plan)
  return first?.outsideTransaction ? applyAlone(session, first) : applyTogether(session)
}

// Live workers hold locks that a migration wants: the whole transaction is undone and tried again rather than
// let every claim queue up behind it.
async function applyTogether(session: MigrateSession): Promise<Stage> {
  const { client, files, log, timing } = session
  let firstTable: string | undefined
  const attempt = () =>
    applyInTransaction(session, firstTable).catch((error: unknown) => {
      firstTable = blockingTable(error) ?? firstTable
      throw error
    })
  const stage = await retryWhen(isWorthAnotherTry, () => inLockedTransaction(client, attempt, timing), {
    ...timing,
    attempts: 10,
    delayMs: 250,
  }).catch((error: unknown) => {
    throw sqlState(error) === LOCK_NOT_AVAILABLE ? migrationBlocked(error) : error
  })
  for (const file of stage.applied) log(`Applied migration ${file}.`)
  if (stage.functions > 0) log(`Applied ${files.functions.length} functions and the grants.`)
  return stage
}

function migrationBlocked(cause: unknown): MillraceError {
  return new MillraceError(
    'migration_blocked',
    'The migration could not get a lock in ten tries, because other sessions keep a table busy; nothing was changed.',
    { hint: 'Look for long transactions in pg_stat_activity, end them, and migrate again.', cause },
  )
}

const transactionSettings = ({ lockTimeoutMs }: MigrateSession): string => `
  set local statement_timeout = 0;
  set local lock_timeout = ${Math.trunc(lockTimeoutMs)};
  set local idle_in_transaction_session_timeout = 0;
  set local client_min_messages = warning;
  set local search_path = millrace, pg_temp;
  set local check_function_bodies = off;`

/** @param firstTable waited for before the others, where it is one of those that are to be locked */
async function applyInTransaction(session: MigrateSession, firstTable: string | undefined): Promise<Stage> {
  const { client, files, lockTimeoutMs } = session
  await client.query(transactionSettings(session))
  // Read again under the lock: another migrator may have been here meanwhile.
  const plan = await readPlan(session)
  const migrations = nextMigrations(plan)
  if (isUpToDate(plan) || migrations[0]?.outsideTransaction) return NOTHING
  await createRecord(client)
  const isLast = migrations.length === plan.pending.length
  const byGrants = isLast
    ? await tablesLockedByGrants(client, files.grants, await grantedRoles(client, files))
    : []
  await lockTables(client, [...namedTables(migrations), ...byGrants], { first: firstTable, lockTimeoutMs })
  for (const migration of migrations) {
    await runFile(client, `migrations/${migration.file}`, migration.text)
    await recordMigration(client, migration, files.packageVersion)
  }
  const applied = migrations.map(({ file }) => file)
  if (!isLast) {
    await forgetFunctionSet(client)
    return { applied, functions: 0 }
  }
  await applyFunctions(session)
  return { applied, functions: files.functions.length }
}

async function applyFunctions({ client, files }: MigrateSession): Promise<void> {
  for (const { file, text } of files.functions) await runFile(client, `functions/${file}`, text)
  await refuseOverloads(client)
  const roles = await grantedRoles(client, files)
  await applyGrants(client, files.grants, roles)
  await recordFunctionSet(client, files, roles)
  await notifyRestLayer(client)
}

async function refuseOverloads(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select p.proname::text as name from pg_proc p
     where p.pronamespace = 'millrace'::regnamespace
     group by p.proname having count(*) > 1 order by 1`,
  )
  const [first] = rows
  if (first === undefined) return
  throw new MillraceError(
    'function_overloaded',
    `After this apply ${first.name} would exist more than once, with different arguments.`,
    {
      fields: { functions: rows.map(({ name }) => name) },
      hint: `Add a migration with \`drop function millrace.${first.name}(the old arguments)\`.`,
    },
  )
}

// PostgREST knows functions from a cache of its own; it reads them anew when told so on this channel.
async function notifyRestLayer(client: pg.ClientBase): Promise<void> {
  const [authenticator] = await existingRoles(client, ['authenticator'])
  if (authenticator !== undefined) await client.query(`notify pgrst, 'reload schema'`)
}

async function applyAlone(session: MigrateSession, migration: MigrationFile): Promise<Stage> {
  const { client, log, timing } = session
  if (await isPooled(client)) throw poolerUnsupported(migration)
  return underSessionLock(
    client,
    async () => {
      const [next] = nextMigrations(await readPlan(session))
      if (next?.number !== migration.number) return NOTHING
      await runAlone(client, migration)
      await inTransaction(client, () => recordStandalone(session, migration))
      log(`Applied migration ${migration.file}.`)
      return { applied: [migration.file], functions: 0 }
    },
    timing,
  )
}

async function recordStandalone({ client, files }: MigrateSession, migration: MigrationFile): Promise<void> {
  await createRecord(client)
  await recordMigration(client, migration, files.packageVersion)
}

function poolerUnsupported({ file }: MigrationFile): MillraceError {
  return new MillraceError(
    'pooler_unsupported',
    `Migration ${file} runs outside a transaction and needs a direct connection, but a pooler stands in between.`,
    { fields: { file }, hint: 'Migrate with the connection string of the database itself.' },
  )
}

async function runAlone(client: pg.ClientBase, migration: MigrationFile): Promise<void> {
  await client.query('set statement_timeout = 0')
  try {
    for (const [index, statement] of splitStatements(migration.text).entries()) {
      await runFile(client, `migrations/${migration.file}, statement ${index + 1}`, statement)
    }
  } finally {
    await client.query('reset statement_timeout').catch(() => {})
  }
}
