// The tables that pending migrations name: had all at once, before any of them is changed.
import type pg from 'pg'
import type { MigrationFile } from './schema-files.ts'

/** Below the server's deadlock_timeout (a second unless told): so it is the migrator that gives way, and never an attempt in the middle of its transaction. */
const giveWayMs = 500

/**
 * Locks the tables of ours that these migrations name. Who has one of them and wants another one that is locked already goes on as soon as
 * the migrator, which can't have the first, gives up and is undone: the caller tries it again.
 */
export async function lockNamedTables(
  client: pg.ClientBase,
  migrations: readonly MigrationFile[],
  lockTimeoutMs: number,
): Promise<void> {
  const named = migrations.flatMap(({ text }) =>
    Array.from(text.matchAll(/\bmillrace\.(\w+)/g), ([, name]) => name),
  )
  const { rows } = await client.query<{ tables: string | null }>(
    `select string_agg(format('millrace.%I', c.relname), ', ' order by c.oid) as tables from pg_class c
      where c.relnamespace = 'millrace'::regnamespace and c.relkind in ('r', 'p') and c.relname = any ($1::text[])`,
    [named],
  )
  const tables = rows[0]?.tables
  if (tables === null || tables === undefined) return
  await client.query(`set local lock_timeout = ${Math.trunc(Math.min(giveWayMs, lockTimeoutMs))}`)
  await client.query(`lock table ${tables} in access exclusive mode`)
  await client.query(`set local lock_timeout = ${Math.trunc(lockTimeoutMs)}`)
}
