// Errors of connections, of the migrator and of the database itself.
import type { CatalogueEntry } from './entry.ts'

export const databaseErrors = {
  connection_string_invalid: {
    cause: 'The connection string cannot be read.',
    remedy: 'Write it as postgres://user:password@host:5432/database, special characters percent-encoded.',
    exitCode: 2,
  },
  database_full: {
    cause: 'The server has no connection left.',
    remedy: 'Raise max_connections, run fewer workers, or connect through a pooler.',
    exitCode: 3,
  },
  database_login_refused: {
    cause: 'The server refused the user or the password.',
    remedy:
      'Check the user and the password of the connection string. A worker ends at its start; one that was in before waits and tries again.',
    exitCode: 3,
  },
  database_copied: {
    cause:
      'The database is a copy of another one, restored from a dump or made from a template, and nobody has enabled it: its runs, schedules and callbacks would happen twice.',
    remedy:
      'Leave it as it is where the other one lives on. To let this one run what came with it: npx millrace database enable',
    sqlstate: 'MR195',
    exitCode: 3,
  },
  database_missing: {
    cause: 'The server answers, but the database that the connection string names does not exist.',
    remedy: 'Create it, or correct the name.',
    exitCode: 3,
  },
  database_read_only: {
    cause: 'The server is read-only at present: a standby, or a primary that was switched over.',
    remedy: 'Connect to the primary; a worker waits and tries again by itself.',
    exitCode: 3,
  },
  database_rights_missing: {
    cause: 'The role may not do what was asked.',
    remedy:
      'Connect as a member of the role that may: millrace_worker, millrace_operator, millrace_viewer or millrace_admin.',
    exitCode: 3,
  },
  database_unreachable: {
    cause: 'No connection to the server could be made, or it was lost.',
    remedy:
      'Check that the server runs, and host, port and TLS settings; a worker tries again for as long as it takes.',
    exitCode: 3,
  },
  function_overloaded: {
    cause:
      'A function of the schema exists twice with different arguments, so that a call would be ambiguous.',
    remedy: 'Drop the old form in a numbered migration.',
  },
  migration_blocked: {
    cause:
      'The migration could not get a lock in time, because a transaction of somebody else holds a table.',
    remedy: 'End that transaction, or try again later: nothing was changed.',
  },
  migration_edited: {
    cause: 'A migration that was applied to this database has been changed since.',
    remedy: 'Restore the file as it was and write a new migration.',
  },
  migration_failed: {
    cause: 'A statement of a migration failed; nothing of it was applied.',
    remedy: 'Read the error of the server in the message, mend the cause, and migrate again.',
  },
  migration_gap: {
    cause: 'The numbers of the migration files do not follow each other.',
    remedy: 'Restore the file that is missing, or number the new one after the last.',
  },
  migration_renamed: {
    cause: 'A migration that was applied to this database has another name now.',
    remedy: 'Give the file its old name.',
  },
  pooler_unsupported: {
    cause: 'The schema cannot be migrated through a pooler, which does not keep one session.',
    remedy: 'Give the direct address of the server for migrations.',
  },
  schema_missing: {
    cause: 'The database has no Millrace schema.',
    remedy: 'Run: npx millrace migrate',
    exitCode: 3,
  },
  schema_newer: {
    cause: 'The schema was migrated by a newer release than this one.',
    remedy: 'Update the millrace package to that release or a later one.',
    exitCode: 3,
  },
  schema_outdated: {
    cause: 'The schema is older than this release needs.',
    remedy: 'Run: npx millrace migrate',
    exitCode: 3,
  },
  server_unsupported: {
    cause: 'The server is older than PostgreSQL 15.',
    remedy: 'Use PostgreSQL 15 or later.',
    exitCode: 3,
  },
  sql_file_invalid: {
    cause: 'A file of the sql folder is not of the form that the migrator reads.',
    remedy: 'Reinstall the package; in a checkout, mend the file that the message names.',
  },
  sql_files_missing: {
    cause: "The package's sql folder is not there.",
    remedy: 'Reinstall the package; a bundler must leave millrace outside its bundle.',
  },
  transaction_lost: {
    cause: 'A transaction was rolled back at its commit, because one of its statements had failed.',
    remedy: 'Let the error of a failed statement leave the transaction instead of catching it inside.',
  },
} as const satisfies Record<string, CatalogueEntry>
