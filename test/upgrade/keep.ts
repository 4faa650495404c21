// Keeps a release for the tests of upgrades: packs its code, brings runs of it into the middle of everything, and writes both to releases/.
// usage: npm run prove:upgrade -- --keep <revision>
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants } from 'node:zlib'
import { build } from 'esbuild'
import pg from 'pg'
import type { Caller, Statement } from '../../src/db/call.ts'
import type * as Watches from '../../src/db/watches.ts'
import { Ending } from '../../bench/ending.ts'
import { buildRevision, type Revision } from '../../bench/revision.ts'
import { until } from '../deadline.ts'
import { startTestServer } from '../test-server.ts'
import { codeModules, type KeptRelease, type ReleasedCode, releasesFolder } from './release.ts'
import { type DatabaseRows, readRows } from './rows.ts'
import { type Scene, type Standing, userSchema, userTables } from './scene.ts'
import { castOf, sceneOptions, scenesSince } from './scenes.ts'

const ending = new Ending()
try {
  await keep(await buildRevision(process.argv[2] ?? 'HEAD', ending))
} finally {
  await ending.run()
}
// Handlers that were stopped in the middle never come back.
process.exit(0)

async function keep({ folder, commit }: Revision): Promise<void> {
  const sql = await readSql(path.join(folder, 'sql'))
  const code = (await loadModules(folder, codeModules)) as ReleasedCode
  const server = await startTestServer()
  const client = new pg.Client(server.url)
  await client.connect()
  try {
    await code.migrate({ client })
    await client.query(userTables)
    const { rows: migrations } = await client.query<{ file: string; checksum: string }>(
      `select lpad(number::text, 4, '0') || '_' || name || '.sql' as file, checksum from millrace.migration order by number`,
    )
    const rows = await stage({
      folder,
      code,
      client,
      url: server.url,
      scenes: scenesSince(migrations.length),
      sql,
    })
    const kept: KeptRelease = {
      name: String(migrations.length).padStart(4, '0'),
      commit,
      packageText: await readFile(path.join(folder, 'package.json'), 'utf8'),
      migrations,
      sql,
      code: await bundle(folder),
      tables: userTables,
      rows,
    }
    await write(kept)
  } finally {
    await client.end()
    await server.stop()
  }
}

/** Functions, roles and grants. */
async function readSql(folder: string): Promise<Record<string, string>> {
  const files = await readdir(folder, { recursive: true })
  const wanted = files.filter((file) => file.endsWith('.sql') && !file.startsWith('migrations')).toSorted()
  return Object.fromEntries(
    await Promise.all(wanted.map(async (file) => [file, await readFile(path.join(folder, file), 'utf8')])),
  )
}

async function loadModules(folder: string, files: readonly string[]): Promise<object> {
  const modules = await Promise.all(
    files.map((file) => import(pathToFileURL(path.join(folder, 'dist', file)).href)),
  )
  return Object.assign({}, ...modules)
}

/** Puts the triggers of watches on the user's tables, as `millrace watch apply` does; there are none before migration 23. */
async function applyWatches(folder: string, client: pg.Client): Promise<void> {
  if (!existsSync(path.join(folder, 'dist/db/watches.js'))) return
  const { planWatches, applyWatch } = (await loadModules(folder, ['db/watches.js'])) as typeof Watches
  const caller: Caller = {
    call: async <Row>({ text }: Statement, values: readonly unknown[]) =>
      (await client.query(text, [...values])).rows as Row[],
  }
  for (const plan of await planWatches(caller, null)) await applyWatch(caller, plan)
}

async function bundle(folder: string): Promise<string> {
  const contents = codeModules.map((file) => `export * from './dist/${file}'`).join('\n')
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: folder },
    bundle: true,
    minify: true,
    write: false,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  })
  return outputFiles[0]!.text
}

interface Stage {
  readonly folder: string
  readonly code: ReleasedCode
  readonly client: pg.Client
  readonly url: string
  readonly scenes: readonly Scene[]
  readonly sql: Readonly<Record<string, string>>
}

/** Plays every scene up to its middle, and reads what is in the database then, with the worker still at work. */
async function stage({ folder, code, client, url, scenes, sql }: Stage): Promise<DatabaseRows> {
  const cast = castOf(scenes, { code, holding: true, hold: () => new Promise(() => {}) })
  const sdk = code.connect({ database: url, ...sceneOptions })
  const worker = await code.startWorker({
    database: url,
    ...sceneOptions,
    pipelines: cast.pipelines,
    triggers: cast.triggers,
    queues: ['default'],
  })
  await applyWatches(folder, client)
  for (const { name, begin } of scenes) await begin?.(sdk, cast.own.get(name) ?? [])
  let missing: string[] = []
  await until('every scene stands', async () => {
    missing = await notStanding(client, scenes)
    return missing.length === 0
  }).catch((error: unknown) => {
    throw new Error(`These don't stand: ${missing.join('; ')}.`, { cause: error })
  })
  await client.query('begin isolation level repeatable read')
  for (const { unseen } of scenes) await unseen?.(sdk, client)
  const rows = await readRows(
    client,
    userSchema,
    Object.keys(sql).map((file) => path.basename(file, '.sql')),
  )
  await client.query('rollback')
  await worker.stop({ force: true })
  await sdk.close()
  return rows
}

/** Each scene that is not yet where it is to be, with how it stands. */
async function notStanding(client: pg.Client, scenes: readonly Scene[]): Promise<string[]> {
  const parks = await client.query(
    `select from pg_tables where schemaname = 'millrace' and tablename = 'waiting_task'`,
  )
  const { rows } = await client.query<Required<Standing> & { slug: string }>(
    `select r.slug, count(*) filter (where r.finished_at is not null)::int as ended,
            sum((select count(*) from millrace.task t where t.run_id = r.id and t.worker_id is not null))::int as held,
            sum((select count(*) from millrace.task t where t.run_id = r.id and t.worker_id is null)
              + ${parks.rowCount === 0 ? '0' : '(select count(*) from millrace.waiting_task w where w.run_id = r.id)'})::int as open
       from millrace.run r group by r.slug`,
  )
  return scenes.flatMap(({ name, stands = {} }) => {
    const { held = 0, open = 0, ended = 0 } = rows.find(({ slug }) => slug === name) ?? {}
    const [is, shall] = [
      { held, open, ended },
      { held: 0, open: 0, ended: 0, ...stands },
    ].map((one) => JSON.stringify(one))
    return is === shall ? [] : [`${name} ${is}, not ${shall}`]
  })
}

async function write(kept: KeptRelease): Promise<void> {
  await mkdir(releasesFolder, { recursive: true })
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 }
  const packed = await promisify(brotliCompress)(JSON.stringify(kept), { params })
  await writeFile(path.join(releasesFolder, `${kept.name}.json.br`), packed)
  console.log(`Kept ${kept.name}: ${packed.length} bytes, ${kept.rows.tables.length} tables with rows.`)
}
