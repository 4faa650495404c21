// The SQL files that ship with the package: migrations, functions, roles and grants, read and checked.
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MillraceError } from '../core/errors.ts'
import { splitStatements } from './sql-statements.ts'

export interface MigrationFile {
  number: number
  /** The words of the file name: 0004_step_output_size.sql has the name step_output_size. */
  name: string
  file: string
  text: string
  checksum: string
  /** Its first line is `-- outside a transaction`: it runs statement by statement and may run twice. */
  outsideTransaction: boolean
}

interface FunctionFile {
  file: string
  text: string
}

export interface SchemaFiles {
  migrations: MigrationFile[]
  functions: FunctionFile[]
  roles: string
  grants: string
  /** Over everything that is applied anew at each change: functions, roles and grants. */
  functionsChecksum: string
  packageVersion: string
}

// src/db and dist/db lie equally deep, so one path serves both.
const PACKAGE_DIRECTORY = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Reads a folder of SQL: `migrations/NNNN_name.sql`, `functions/<noun>/<verb_noun>.sql`, `roles.sql`,
 * `grants.sql`; by default the one of this package.
 *
 * @throws MillraceError sql_files_missing, sql_file_invalid, migration_gap
 */
export function readSchemaFiles(directory = join(PACKAGE_DIRECTORY, 'sql')): Promise<SchemaFiles> {
  const reading = underWay.get(directory) ?? readFolder(directory).finally(() => underWay.delete(directory))
  underWay.set(directory, reading)
  return reading
}

/** A thousand files are opened at once for each: many workers that start in one process share a read. */
const underWay = new Map<string, Promise<SchemaFiles>>()

async function readFolder(directory: string): Promise<SchemaFiles> {
  const migrations = await readMigrations(join(directory, 'migrations'))
  const functions = await readFunctions(join(directory, 'functions'))
  const roles = await readText(join(directory, 'roles.sql'))
  const grants = await readText(join(directory, 'grants.sql'))
  const parts = [...functions.flatMap(({ file, text }) => [file, text]), roles, grants]
  return {
    migrations,
    functions,
    roles,
    grants,
    functionsChecksum: checksum(JSON.stringify(parts)),
    packageVersion: await readPackageVersion(),
  }
}

async function readMigrations(directory: string): Promise<MigrationFile[]> {
  const files = (await listFolder(directory)).filter((file) => file.endsWith('.sql'))
  const migrations = await Promise.all(files.map((file) => readMigration(directory, file)))
  migrations.forEach(checkNumber)
  return migrations
}

async function readMigration(directory: string, file: string): Promise<MigrationFile> {
  const [, number, name] = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file) ?? []
  if (number === undefined || name === undefined) {
    throw invalidFile(file, 'is not named like 0001_what_it_changes.sql')
  }
  const text = await readText(join(directory, file))
  const outsideTransaction = text.startsWith('-- outside a transaction\n')
  checkNoTransactionControl(file, text)
  return { number: Number(number), name, file, text, checksum: checksum(text), outsideTransaction }
}

function checkNumber(migration: MigrationFile, index: number): void {
  if (migration.number === index + 1) return
  throw new MillraceError(
    'migration_gap',
    `Migration ${migration.file} stands where number ${index + 1} belongs: numbers run from 0001 without gaps or doubles.`,
    {
      fields: { file: migration.file, expected: index + 1 },
      hint: 'Rename the file to the next free number.',
    },
  )
}

async function readFunctions(directory: string): Promise<FunctionFile[]> {
  const paths = (await listFolder(directory, { recursive: true })).map((path) => path.replaceAll('\\', '/'))
  const files = paths.filter((path) => path.endsWith('.sql'))
  return Promise.all(files.map((file) => readFunction(directory, file)))
}

async function readFunction(directory: string, file: string): Promise<FunctionFile> {
  const text = await readText(join(directory, file))
  const name = basename(file, '.sql')
  if (!/^[a-z_]+\/[a-z0-9_]+\.sql$/.test(file)) throw invalidFile(file, 'is not named <noun>/<verb_noun>.sql')
  if (!createsFunction(text, name)) {
    throw invalidFile(file, `does not hold just one \`create or replace function millrace.${name}\``)
  }
  return { file, text }
}

function createsFunction(text: string, name: string): boolean {
  const [statement, ...others] = splitStatements(text)
  const created = /^create or replace (?:function|procedure) millrace\.(\w+)\s*\(/.exec(statement ?? '')
  return created?.[1] === name && others.every((other) => other.startsWith('comment on '))
}

// A commit inside a file would end the one transaction that makes an apply all or nothing.
function checkNoTransactionControl(file: string, text: string): void {
  const control = splitStatements(text).find((statement) =>
    /^(begin|start transaction|commit|end|rollback|abort|savepoint|release)\b/i.test(statement),
  )
  if (control !== undefined)
    throw invalidFile(file, `holds \`${control}\`, but the migrator keeps the transaction`)
}

// Sorted by code unit, so that every machine applies in the same order.
async function listFolder(directory: string, options: { recursive?: boolean } = {}): Promise<string[]> {
  try {
    return (await readdir(directory, { ...options, encoding: 'utf8' })).sort()
  } catch (error) {
    throw filesMissing(directory, error)
  }
}

// A checkout on Windows may have turned the line ends; the text, and so the checksum, must be the same.
async function readText(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replaceAll('\r\n', '\n')
  } catch (error) {
    throw filesMissing(path, error)
  }
}

/** The release of this package. */
export async function readPackageVersion(): Promise<string> {
  const manifest: unknown = JSON.parse(await readText(join(PACKAGE_DIRECTORY, 'package.json')))
  return (manifest as { version: string }).version
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function invalidFile(file: string, reason: string): MillraceError {
  return new MillraceError('sql_file_invalid', `The SQL file ${file} ${reason}.`, { fields: { file } })
}

function filesMissing(path: string, cause: unknown): MillraceError {
  return new MillraceError('sql_files_missing', `Millrace cannot read its SQL files: ${path} is missing.`, {
    fields: { path },
    hint: 'They ship beside dist/ in the package millrace; do not bundle it into another file.',
    cause,
  })
}
