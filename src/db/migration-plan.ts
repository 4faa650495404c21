// What an apply has to do, decided from the files and the record alone, and when it must refuse.
import { MillraceError } from '../core/errors.ts'
import type { MigrationFile, SchemaFiles } from './schema-files.ts'
import type { AppliedMigration, SchemaState } from './schema-state.ts'

export interface MigrationPlan {
  pending: MigrationFile[]
  /** Functions, roles or grants differ from what is in force, or a role appeared that has no grants yet. */
  functionsChanged: boolean
}

/**
 * Compares the files with the record.
 *
 * @throws MillraceError schema_newer, migration_edited, migration_renamed, migration_gap
 */
export function planMigration(files: SchemaFiles, state: SchemaState, roles: string[]): MigrationPlan {
  for (const applied of state.migrations) checkApplied(files.migrations, applied)
  checkNotOlder(files, state)
  checkNoneLeftOut(files, state)
  const current = state.functionSet
  return {
    pending: files.migrations.slice(state.migrations.length),
    functionsChanged:
      current === null ||
      current.checksum !== files.functionsChecksum ||
      roles.some((role) => !current.roles.includes(role)),
  }
}

/** Whether the database already is what the files say. */
export function isUpToDate(plan: MigrationPlan): boolean {
  return plan.pending.length === 0 && !plan.functionsChanged
}

/** The migrations that go into the next transaction: up to, or being, one that stands alone. */
export function nextMigrations({ pending }: MigrationPlan): MigrationFile[] {
  const alone = pending.findIndex(({ outsideTransaction }) => outsideTransaction)
  if (alone === -1) return pending
  return pending.slice(0, Math.max(alone, 1))
}

function checkApplied(files: MigrationFile[], applied: AppliedMigration): void {
  const file = files.find(({ number }) => number === applied.number)
  if (file === undefined) throw newerSchema(applied.number, files.length)
  const fields = { number: applied.number, applied: applied.name, file: file.file }
  if (file.name !== applied.name) {
    throw new MillraceError(
      'migration_renamed',
      `Migration ${applied.number} was applied as ${applied.name}, but the package holds ${file.file}.`,
      { fields, hint: 'Give the file its old name back; a change needs a new number.' },
    )
  }
  if (file.checksum !== applied.checksum) {
    throw new MillraceError(
      'migration_edited',
      `Migration ${file.file} was edited after it had been applied to this database.`,
      { fields, hint: 'Restore the file, and write the change as a new migration.' },
    )
  }
}

// The record's numbers are those of the files (checked above), so a hole shows where the two stop running in step.
function checkNoneLeftOut(files: SchemaFiles, { migrations }: SchemaState): void {
  const hole = migrations.findIndex(({ number }, index) => number !== index + 1)
  if (hole === -1) return
  const file = files.migrations[hole]?.file
  throw new MillraceError(
    'migration_gap',
    `Migration ${file} was never applied to this database, though later ones were.`,
    {
      fields: { file },
      hint: 'Restore millrace.migration from a backup, or give the file the next free number.',
    },
  )
}

// Functions have no numbers, so the package's version decides which set is the newer one. Without this two
// versions that start side by side would take turns in replacing each other's functions.
function checkNotOlder(files: SchemaFiles, { functionSet }: SchemaState): void {
  if (functionSet === null || functionSet.checksum === files.functionsChecksum) return
  if (compareVersions(functionSet.packageVersion, files.packageVersion) <= 0) return
  throw new MillraceError(
    'schema_newer',
    `The schema was brought up to date by Millrace ${functionSet.packageVersion}; this is ${files.packageVersion}.`,
    {
      fields: { schemaVersion: functionSet.packageVersion, packageVersion: files.packageVersion },
      hint: NEWER_HINT,
    },
  )
}

const NEWER_HINT = 'Install the newer millrace here; a schema is never taken back.'

/** The refusal of a package that knows fewer migrations than the database has. */
export function newerSchema(applied: number, known: number): MillraceError {
  return new MillraceError(
    'schema_newer',
    `The schema has migration ${applied}, but this package knows only ${known}.`,
    { fields: { applied, known }, hint: NEWER_HINT },
  )
}

/** Orders two versions by major, minor and patch; what follows a hyphen is not looked at. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [left, right].map((version) => (version.split('-')[0] ?? '').split('.').map(Number))
  for (const place of [0, 1, 2]) {
    const difference = (a?.[place] ?? 0) - (b?.[place] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
