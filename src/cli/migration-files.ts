// Owns the files that `millrace migrate --files` keeps in a folder of migrations: which there are, how far they reach, and the next one.
import fs from 'node:fs'
import path from 'node:path'
import { migrationScript } from '../db/migration-script.ts'
import { newerSchema } from '../db/migration-plan.ts'
import { readSchemaFiles } from '../db/schema-files.ts'

export interface WrittenFiles {
  /** The file that was written, with its path; null where the folder holds everything. */
  readonly file: string | null
  /** The last migration that the files of the folder bring. */
  readonly version: number
}

/**
 * Writes what the files of the folder don't bring yet into one new file, named by the time as Supabase names
 * them. A file that is there is never changed: it may have been applied somewhere.
 *
 * @throws MillraceError schema_newer, and those of readSchemaFiles
 */
export async function writeMigrationFile(
  folder: string,
  { now, directory }: { readonly now: Date; readonly directory?: string },
): Promise<WrittenFiles> {
  const files = await readSchemaFiles(directory)
  fs.mkdirSync(folder, { recursive: true })
  const names = fs.readdirSync(folder).sort()
  const known = files.migrations.length
  const reached = lastReached(folder, names)
  if (reached.migration > known) throw newerSchema(reached.migration, known)
  if (reached.migration === known && reached.functions === files.functionsChecksum)
    return { file: null, version: known }
  const stamp = nextStamp(names, now)
  const name = `${stamp}_millrace_${files.packageVersion.replaceAll(/\W+/g, '_')}.sql`
  const file = path.join(folder, name)
  const text = `-- millrace ${files.packageVersion}: to migration ${known} with functions ${files.functionsChecksum}
-- What comes with an update is in another file, written by: npx millrace migrate --files FOLDER
-- Don't edit this one: it may have been applied somewhere.

${migrationScript(files, reached.migration)}`
  fs.writeFileSync(file, text, { flag: 'wx' })
  return { file, version: known }
}

const header = /^-- millrace \S+: to migration (\d+) with functions ([0-9a-f]{64})\n/

function lastReached(folder: string, names: readonly string[]): { migration: number; functions: string } {
  let reached = { migration: 0, functions: '' }
  for (const name of names.filter((one) => /^\d+_millrace_\w+\.sql$/.test(one))) {
    const text = fs.readFileSync(path.join(folder, name), 'utf8').replaceAll('\r\n', '\n')
    const [, migration, functions] = header.exec(text) ?? []
    if (migration !== undefined) reached = { migration: Number(migration), functions: functions! }
  }
  return reached
}

/** Behind whatever is there, also where another machine's clock runs ahead: files are applied in the order of their names. */
function nextStamp(names: readonly string[], now: Date): string {
  const last = names.flatMap((name) => /^\d{14}(?=_)/.exec(name) ?? []).at(-1) ?? ''
  const stamp = now.toISOString().replaceAll(/\D/g, '').slice(0, 14)
  return stamp > last ? stamp : String(BigInt(last) + 1n)
}
