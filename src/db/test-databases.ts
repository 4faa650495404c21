// Databases for tests: a migrated template with a movable clock, made once a server, and copies of it that live as long as their test.
import { createHash, randomInt } from 'node:crypto'
import type pg from 'pg'
import { MillraceError } from '../core/errors.ts'
import { connectClient, describeDatabase } from './connection.ts'
import { sqlState, translateDatabaseError } from './database-error.ts'
import { migrate } from './migrate.ts'
import { readSchemaFiles } from './schema-files.ts'
import { installTestClock } from './test-clock.ts'

const templatePrefix = 'millrace_template_'
/** What follows is the key of the process that made the copy, and a number. */
const copyPrefix = 'millrace_copy_'

/** First key of the advisory locks by which a process says that its copies are in use; the second is the process's own key. */
const copyLockClass = 77_429
/** The same for making templates. */
const templateLockClass = 77_430
const makingKey = 1
const terminateMs = 5_000
/** Of a database that is there already: seen before, or as both were written at once. */
const duplicateStates = ['42P04', '23505']

/** The name of a login's template for the SQL files of this package: with other files, or owned by another login, it is another one. */
export async function templateName(serverUrl: string): Promise<string> {
  const files = await readSchemaFiles()
  const checksums = [...files.migrations.map(({ checksum }) => checksum), files.functionsChecksum]
  const parts = [urlOf(serverUrl).username, ...checksums]
  return `${templatePrefix}${createHash('sha256').update(parts.join()).digest('hex').slice(0, 16)}`
}

/**
 * Makes a template of this name where there is none; it appears when it is finished. One process at a time does, of those that are
 * connected to one database: of others the first one to finish wins.
 *
 * @throws MillraceError as migrate does, and database_rights_missing
 */
export async function ensureTemplate(serverUrl: string, name: string): Promise<void> {
  await onServer(serverUrl, async (server) => {
    await server.query('select pg_advisory_lock($1, $2)', [templateLockClass, makingKey])
    const { rows } = await server.query('select from pg_database where datname = $1', [name])
    if (rows.length > 0) return
    // By the name of a copy: whoever is killed over it leaves it to be dropped as one.
    const unfinished = copyName(await holdSomeCopies(server), 0)
    await server.query(`create database ${unfinished}`)
    const connectionString = addressOf(serverUrl, unfinished)
    await migrate({ connectionString })
    await onServer(connectionString, installTestClock)
    // A copy is refused while somebody is connected to the original, so nobody can be.
    await server.query(`alter database ${unfinished} with allow_connections false`)
    try {
      await server.query(`alter database ${unfinished} rename to ${name}`)
    } catch (error) {
      await dropDatabase(server, unfinished)
      if (duplicateStates.includes(sqlState(error) ?? '')) return
      throw error
    }
    await server.query(`alter database ${name} with is_template true`)
  })
}

/** Drops a template, and whatever was copied from it under a name that begins with its own. */
export async function dropTemplate(serverUrl: string, name: string): Promise<void> {
  await onServer(serverUrl, async (server) => {
    const { rows } = await server.query<{ name: string }>(
      'select datname as name from pg_database where datname = $1 or starts_with(datname, $2)',
      [name, `${name}_`],
    )
    for (const found of rows) {
      await server.query(`alter database ${found.name} with is_template false`)
      await server.query(`drop database ${found.name} with (force)`)
    }
  })
}

export async function copyTemplate(server: pg.ClientBase, template: string, name: string): Promise<void> {
  await server.query(`create database ${name} template ${template} strategy wal_log`)
}

/** Drops a database, whoever is still connected. */
export async function dropDatabase(server: pg.ClientBase, name: string): Promise<void> {
  await server.query(`drop database if exists ${name} with (force)`)
}

/** Closes a database to everybody, those who are connected as well, or lets them in again. */
export async function shutDatabase(server: pg.ClientBase, name: string, isShut: boolean): Promise<void> {
  await server.query(`alter database ${name} with allow_connections ${!isShut}`)
  if (!isShut) return
  await server.query('select pg_terminate_backend(pid, $2) from pg_stat_activity where datname = $1', [
    name,
    terminateMs,
  ])
}

/** Says that the copies under this key are in use, for as long as the connection lives. */
export async function holdCopies(server: pg.ClientBase, key: number): Promise<void> {
  await server.query('select pg_advisory_lock($1, $2)', [copyLockClass, key])
}

/** A key that nobody else has, of a number that is drawn. */
export function newCopyKey(): number {
  return randomInt(1, 2 ** 31)
}

async function holdSomeCopies(server: pg.ClientBase): Promise<number> {
  const key = newCopyKey()
  await holdCopies(server, key)
  return key
}

/** The name of a copy, by which others find out whether it is still in use. */
export function copyName(key: number, count: number): string {
  return `${copyPrefix}${key}_${count}`
}

/**
 * Drops the copies of processes that are gone. What another process drops at the same time is left to it. Its lock may lie in another
 * database than this one: whoever tests on a server may name any of its databases.
 */
export async function dropAbandonedCopies(server: pg.ClientBase): Promise<void> {
  const { rows } = await server.query<{ name: string }>(
    `select d.datname as name from pg_database d
      where d.datname ~ $1 and not exists (
        select from pg_locks l
         where l.locktype = 'advisory' and l.classid = $2 and l.objsubid = 2 and l.granted
           and l.objid = split_part(substr(d.datname, $3), '_', 1)::bigint::oid)`,
    [`^${copyPrefix}[0-9]+_[0-9]+$`, copyLockClass, copyPrefix.length + 1],
  )
  for (const { name } of rows) await dropDatabase(server, name).catch(() => {})
}

/** The address of another database of the same server. */
export function addressOf(serverUrl: string, name: string): string {
  const url = urlOf(serverUrl)
  url.pathname = name
  return url.href
}

/** Without the string in the error: there may be a password in it. */
function urlOf(serverUrl: string): URL {
  if (URL.canParse(serverUrl)) return new URL(serverUrl)
  throw new MillraceError(
    'connection_string_invalid',
    'The address of a server to test on is no URL such as postgres://user:password@host:5432/database, in which #, / and ? of a password are encoded.',
  )
}

/** Runs a piece of work on a connection of its own. */
export async function onServer<T>(serverUrl: string, work: (server: pg.Client) => Promise<T>): Promise<T> {
  const server = await connectClient({
    connectionString: serverUrl,
    applicationName: 'millrace test databases',
    statementTimeoutMs: 0,
  })
  try {
    return await work(server)
  } catch (error) {
    throw translateDatabaseError(error, describeDatabase(serverUrl))
  } finally {
    await server.end()
  }
}
