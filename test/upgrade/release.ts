// A released Millrace as it is kept here: its package, made small, and the rows of a database in which its runs stood in the middle of everything.
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { brotliDecompress } from 'node:zlib'
import type pg from 'pg'
import type * as Migrate from '../../src/db/migrate.ts'
import type * as Sdk from '../../src/sdk/index.ts'
import type * as WorkerRoom from '../../src/worker/index.ts'
import { makeReachableFolder } from '../reachable-folder.ts'
import { type DatabaseRows, writeRows } from './rows.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where the releases lie: `<name>.json.br` each, named by its last migration. */
export const releasesFolder = fileURLToPath(new URL('releases', import.meta.url))

/** What of a release is called here; typed as today's, of which it is an earlier state. */
export type ReleasedCode = Pick<
  typeof Sdk,
  'pipeline' | 'connect' | 'limit' | 'schedule' | 'subscribe' | 'watch' | 'connectOutside'
> &
  Pick<typeof WorkerRoom, 'startWorker'> &
  Pick<typeof Migrate, 'migrate'>

/** The modules of a release that make up its code, by what is taken from each. */
export const codeModules = ['sdk/index.js', 'worker/index.js', 'db/migrate.js'] as const

export interface KeptRelease {
  /** The number of its last migration, in four digits. */
  readonly name: string
  readonly commit: string
  readonly packageText: string
  /** Its migrations as they were applied; their files are those of today, which a release never changes. */
  readonly migrations: readonly { readonly file: string; readonly checksum: string }[]
  /** Its functions, roles and grants: path in sql/, and text. */
  readonly sql: Readonly<Record<string, string>>
  /** Its code in one module, without the packages it uses. */
  readonly code: string
  /** The user's tables beside it. */
  readonly tables: string
  readonly rows: DatabaseRows
}

export interface Release {
  readonly kept: KeptRelease
  readonly code: ReleasedCode
  /** Its sql/ folder. */
  readonly sqlFolder: string
  /** Makes an empty database one of this release, with everything that stood in the middle. */
  restore(client: pg.ClientBase): Promise<void>
  close(): Promise<void>
}

export async function releaseNames(): Promise<string[]> {
  const files = await readdir(releasesFolder)
  return files
    .filter((file) => file.endsWith('.json.br'))
    .map((file) => file.slice(0, 4))
    .toSorted()
}

/** Lays the package of a release out in a temporary folder, as npm would, and loads it beside today's. */
export async function openRelease(name: string): Promise<Release> {
  const packed = await readFile(path.join(releasesFolder, `${name}.json.br`))
  const kept = JSON.parse(String(await promisify(brotliDecompress)(packed))) as KeptRelease
  const folder = makeReachableFolder()
  const write = async (file: string, text: string | Buffer) => {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true })
    await writeFile(path.join(folder, file), text)
  }
  await write('package.json', kept.packageText)
  for (const [file, text] of Object.entries(kept.sql)) await write(path.join('sql', file), text)
  for (const { file } of kept.migrations)
    await write(path.join('sql/migrations', file), await readFile(path.join(root, 'sql/migrations', file)))
  // As deep as it lay in the package, from which it finds the rest.
  await write('dist/release/code.mjs', kept.code)
  await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'))
  const code = (await import(pathToFileURL(path.join(folder, 'dist/release/code.mjs')).href)) as ReleasedCode
  return {
    kept,
    code,
    sqlFolder: path.join(folder, 'sql'),
    restore: async (client) => {
      await code.migrate({ client })
      await client.query(kept.tables)
      await writeRows(client, kept.rows)
      // Triggers are installed on a table by its number, which is another one here.
      if (kept.rows.additions.length > 0)
        await client.query(
          `update millrace.change_watch set installed_relation = to_regclass(format('%I.%I', table_schema, table_name))`,
        )
    },
    close: () => rm(folder, { recursive: true, force: true }),
  }
}
