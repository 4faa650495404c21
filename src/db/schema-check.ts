// Whether the schema in a database is the one this package was written for; asked by workers before they claim.
import type pg from 'pg'
import { MillraceError } from '../core/errors.ts'
import { describeClient, describeDatabase } from './connection.ts'
import { translateDatabaseError } from './database-error.ts'
import { compareVersions, newerSchema } from './migration-plan.ts'
import { readSchemaFiles, type SchemaFiles } from './schema-files.ts'
import { readSchemaState, type SchemaState } from './schema-state.ts'

/** What is asked of the files. */
type Known = Pick<SchemaFiles, 'functionsChecksum' | 'packageVersion'> & { readonly migrations: number }

/** Those of this package, which are the same for as long as a process runs it: a thousand files are read once, and not by each worker that starts. */
let own: Promise<Known> | undefined

/**
 * Refuses to start on a schema that is not this package's. A worker that already runs is not asked again: the
 * functions keep serving the previous version.
 *
 * @param directory a folder like this package's sql/, which is the default
 * @throws MillraceError schema_missing, schema_outdated, schema_newer
 */
export async function checkSchema(client: pg.ClientBase, directory?: string): Promise<void> {
  const files = await knownOf(directory)
  const database = describeClient(client)
  const state = await readSchemaState(client).catch((error: unknown) => {
    throw translateDatabaseError(error, database)
  })
  if (!state.exists) throw schemaMissing(database)
  const applied = state.migrations.at(-1)?.number ?? 0
  const known = files.migrations
  if (applied > known) throw newerSchema(applied, known)
  if (applied < known || lacksFunctions(state, files)) throw schemaOutdated(database, applied, known)
}

function knownOf(directory: string | undefined): Promise<Known> {
  if (directory !== undefined) return readKnown(directory)
  own ??= readKnown().catch((error: unknown) => {
    own = undefined
    throw error
  })
  return own
}

async function readKnown(directory?: string): Promise<Known> {
  const { migrations, functionsChecksum, packageVersion } = await readSchemaFiles(directory)
  return { migrations: migrations.length, functionsChecksum, packageVersion }
}

// With the same migrations, newer functions serve an older package; older functions do not serve a newer one.
function lacksFunctions({ functionSet }: SchemaState, files: Known): boolean {
  if (functionSet === null) return true
  if (functionSet.checksum === files.functionsChecksum) return false
  return compareVersions(files.packageVersion, functionSet.packageVersion) >= 0
}

function schemaMissing(database: string): MillraceError {
  return new MillraceError('schema_missing', `Database ${database} has no schema millrace yet.`, {
    fields: { database },
    hint: 'Run `npx millrace migrate`.',
  })
}

function schemaOutdated(database: string, applied: number, known: number): MillraceError {
  const what =
    applied < known
      ? `is at migration ${applied} of ${known}`
      : 'has older functions than this package brings'
  return new MillraceError('schema_outdated', `The schema millrace in ${database} ${what}.`, {
    fields: { database, applied, known },
    hint: 'Run `npx millrace migrate`, then start the worker again.',
  })
}

/** The same, over a connection of a pool. @throws MillraceError schema_missing, schema_outdated, schema_newer */
export async function checkSchemaOf(pool: pg.Pool): Promise<void> {
  const client = await pool.connect().catch((error: unknown) => {
    // Whoever waits for a database that is away knows it by the code.
    throw translateDatabaseError(error, describeDatabase(pool.options.connectionString!))
  })
  try {
    await checkSchema(client)
  } finally {
    client.release()
  }
}
