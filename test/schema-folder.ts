// A folder of SQL files as the migrator reads them, made for one test.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'

export interface SchemaFolder {
  directory: string
  /** Writes or replaces a file, such as migrations/0002_more.sql. */
  write(file: string, text: string): Promise<void>
  remove(file: string): Promise<void>
  close(): Promise<void>
}

/** Files by their path in the folder; roles.sql and grants.sql are empty unless given. */
export async function createSchemaFolder(files: Record<string, string>): Promise<SchemaFolder> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'millrace-schema-'))
  const write = async (file: string, text: string): Promise<void> => {
    const target = path.join(directory, file)
    await mkdir(path.dirname(target), { recursive: true })
    await writeFile(target, text)
  }
  await mkdir(path.join(directory, 'migrations'))
  await mkdir(path.join(directory, 'functions'))
  const all = { 'roles.sql': '', 'grants.sql': '', ...files }
  for (const [file, text] of Object.entries(all)) await write(file, text)
  return {
    directory,
    write,
    remove: (file) => rm(path.join(directory, file)),
    close: () => rm(directory, { recursive: true, force: true }),
  }
}
