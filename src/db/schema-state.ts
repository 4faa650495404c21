// What the migrator has recorded in a database: the applied migrations, and the set of functions in force.
import type pg from 'pg'
import type { MigrationFile, SchemaFiles } from './schema-files.ts'

export interface AppliedMigration {
  number: number
  name: string
  checksum: string
}

interface FunctionSet {
  checksum: string
  packageVersion: string
  /** The roles that existed when the grants were applied; a new one asks for another apply. */
  roles: string[]
}

export interface SchemaState {
  /** Whether the migrator has ever run here. */
  exists: boolean
  migrations: AppliedMigration[]
  /** Null while an apply stands between two of its transactions. */
  functionSet: FunctionSet | null
}

/** Reads the record; needs only the right to read it. */
export async function readSchemaState(client: pg.ClientBase): Promise<SchemaState> {
  if (!(await recordExists(client))) return { exists: false, migrations: [], functionSet: null }
  const { rows: migrations } = await client.query<AppliedMigration>(
    'select number, name, checksum from millrace.migration order by number',
  )
  const { rows } = await client.query<FunctionSet>(
    'select checksum, package_version as "packageVersion", roles from millrace.function_set',
  )
  return { exists: true, migrations, functionSet: rows[0] ?? null }
}

// Through the catalog, since a name in a schema one may not use raises instead of being null.
async function recordExists(client: pg.ClientBase): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'millrace' and c.relname = 'function_set'`,
  )
  return rowCount === 1
}

/** Makes schema and record where they are missing; part of the first apply's transaction. */
export async function createRecord(client: pg.ClientBase): Promise<void> {
  if (await recordExists(client)) return
  // `if not exists` would ask for the right to create in the database even when there is nothing to create.
  const { rowCount } = await client.query(`select from pg_namespace where nspname = 'millrace'`)
  if (rowCount === 0) await client.query('create schema millrace')
  await client.query(RECORD)
}

export const RECORD = `
create table millrace.migration (
  number int primary key check (number > 0),
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default clock_timestamp(),
  applied_by text not null default current_user,
  package_version text not null
);
create table millrace.function_set (
  is_current boolean primary key default true check (is_current),
  checksum text not null,
  function_count int not null,
  package_version text not null,
  roles text[] not null,
  applied_at timestamptz not null default clock_timestamp(),
  applied_by text not null default current_user
);
alter table millrace.migration enable row level security;
alter table millrace.function_set enable row level security;
comment on table millrace.migration is 'Every applied migration with the checksum of its file. Written by the migrator only.';
comment on table millrace.function_set is 'The functions, roles and grants in force: one row. Written by the migrator only.';
`

export async function recordMigration(
  client: pg.ClientBase,
  migration: MigrationFile,
  packageVersion: string,
): Promise<void> {
  await client.query(
    'insert into millrace.migration (number, name, checksum, package_version) values ($1, $2, $3, $4)',
    [migration.number, migration.name, migration.checksum, packageVersion],
  )
}

export async function recordFunctionSet(
  client: pg.ClientBase,
  files: SchemaFiles,
  roles: string[],
): Promise<void> {
  await forgetFunctionSet(client)
  await client.query(
    `insert into millrace.function_set (checksum, function_count, package_version, roles)
     values ($1, $2, $3, $4)`,
    [files.functionsChecksum, files.functions.length, files.packageVersion, roles],
  )
}

/** Marks the functions as not in step with the migrations, until they are applied again. */
export async function forgetFunctionSet(client: pg.ClientBase): Promise<void> {
  await client.query('delete from millrace.function_set where is_current')
}
