// What a migrator would do, as a text of SQL for tools that apply files of migrations themselves, such as the command line of Supabase.
//
// Each statement stands for itself, so that a tool may send them one by one; all of them belong into one transaction. The
// record is written as the migrator writes it: it, workers and servers take such a database for one of theirs.
import { grantsScript, OUTSIDE_ROLES } from './grants.ts'
import { MIGRATION_KEY } from './migration-lock.ts'
import { roleNames, rolesScript } from './roles.ts'
import type { MigrationFile, SchemaFiles } from './schema-files.ts'
import { RECORD } from './schema-state.ts'

const settings = [
  ['statement_timeout', '0'],
  ['lock_timeout', "'5s'"],
  ['client_min_messages', 'warning'],
  ['search_path', 'millrace, pg_temp'],
  ['check_function_bodies', 'off'],
] as const

/** Takes the schema from migration `from` (0: there is none) to the last one of the files, with all functions, roles and grants. */
export function migrationScript(files: SchemaFiles, from: number): string {
  const pending = files.migrations.slice(from)
  const parts = [
    `-- One migrator at a time.\nselect pg_advisory_xact_lock(${MIGRATION_KEY});\n`,
    guard(from),
    rolesScript(files.roles),
    from === 0 ? `create schema if not exists millrace;\n${RECORD}` : '',
    settings.map(([name, value]) => `set ${name} = ${value};\n`).join(''),
    ...pending.map((migration) => part(`migrations/${migration.file}`, inTransaction(migration))),
    ...files.functions.map(({ file, text }) => part(`functions/${file}`, text)),
    part('grants.sql', grantsScript(files.grants, roleNames(files.roles))),
    record(files, pending),
    settings.map(([name]) => `reset ${name};\n`).join(''),
    "notify pgrst, 'reload schema';\n",
  ]
  return parts.filter((text) => text !== '').join('\n')
}

function part(file: string, text: string): string {
  return `-- ${file}\n${text.trimEnd()}\n`
}

/** An index that the migrator builds beside running work is built here under a lock: a tool that keeps a transaction can't do otherwise. */
function inTransaction({ outsideTransaction, text }: MigrationFile): string {
  return outsideTransaction ? text.replaceAll(/\bindex\s+concurrently\b/gi, 'index') : text
}

function guard(from: number): string {
  const hint =
    'Where `millrace migrate` was faster, tell the tool that this file is applied: supabase migration repair --status applied VERSION.'
  return `do $script$
declare
  reached int := 0;
begin
  if to_regclass('millrace.migration') is not null then
    execute 'select coalesce(max(number), 0) from millrace.migration' into reached;
  end if;
  if reached <> ${from} then
    raise exception 'This file goes on from migration ${from} of Millrace, and the database is at %.', reached using hint = ${literal(hint)};
  end if;
end $script$;
`
}

function record(files: SchemaFiles, pending: readonly MigrationFile[]): string {
  const version = literal(files.packageVersion)
  const rows = pending.map(
    ({ number, name, checksum }) => `  (${number}, ${literal(name)}, ${literal(checksum)}, ${version})`,
  )
  const applied =
    rows.length === 0
      ? ''
      : `-- The record.\ninsert into millrace.migration (number, name, checksum, package_version) values\n${rows.join(',\n')};\n`
  const roles = [...roleNames(files.roles), ...OUTSIDE_ROLES].map(literal).join(', ')
  return `${applied}delete from millrace.function_set where is_current;
insert into millrace.function_set (checksum, function_count, package_version, roles)
values (${literal(files.functionsChecksum)}, ${files.functions.length}, ${version},
  array(select rolname::text from pg_roles where rolname in (${roles}) order by 1));
`
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
