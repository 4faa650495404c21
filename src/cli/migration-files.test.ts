// Files of migrations for other tools: the first brings everything, the next what came since, and both together what the migrator would have made.
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createEmptyDatabase, type EmptyDatabase } from '../../test/empty-database.ts'
import { createSchemaFolder, type SchemaFolder } from '../../test/schema-folder.ts'
import { migrate } from '../db/migrate.ts'
import { writeMigrationFile } from './migration-files.ts'

const countThings = `-- How many there are.
create or replace function millrace.count_things() returns bigint language sql as $$ select count(*) from millrace.thing $$;
comment on function millrace.count_things() is 'How many things there are.';
`
const now = new Date('2026-11-21T20:30:00.500Z')

let database: EmptyDatabase
let schema: SchemaFolder
let folder: string

beforeEach(async () => {
  database = await createEmptyDatabase()
  schema = await createSchemaFolder({
    'migrations/0001_thing.sql': `create table millrace.thing (id int primary key);\ninsert into thing values (1);\ncomment on table thing is 'It''s a thing; no more.';\n`,
    'functions/things/count_things.sql': countThings,
    'grants.sql': `grant usage on schema millrace to millrace_viewer;
grant select on millrace.thing to millrace_viewer;
create policy viewers_read on millrace.thing for select to millrace_viewer using (true);
grant execute on function millrace.count_things to millrace_viewer;`,
    'roles.sql': `create role millrace_viewer nologin;\nalter role millrace_viewer set statement_timeout = '30s';`,
  })
  folder = path.join(schema.directory, 'supabase/migrations')
})
afterEach(async () => {
  await schema.close()
  await database.close()
})

const write = () => writeMigrationFile(folder, { now, directory: schema.directory })
const apply = async (file: string | null) => database.query(fs.readFileSync(file!, 'utf8'))
const migrator = () => migrate({ connectionString: database.url, directory: schema.directory })

async function release(): Promise<void> {
  await schema.write('migrations/0002_more.sql', 'insert into thing values (2);\n')
  await schema.write(
    'migrations/0003_index.sql',
    '-- outside a transaction\ndrop index concurrently if exists millrace.thing_id;\ncreate index concurrently thing_id on millrace.thing (id);\n',
  )
  await schema.write('functions/things/count_things.sql', countThings.replace('count(*)', '40 + count(*)'))
}

test('the first file brings all there is, and the next one only what a release brought since; both leave the migrator nothing to do', async () => {
  const first = await write()
  expect(first).toEqual({ file: path.join(folder, '20261121203000_millrace_0_1_0.sql'), version: 1 })
  await apply(first.file)
  expect(await migrator()).toMatchObject({ applied: [], functions: 0 })
  expect(await write()).toEqual({ file: null, version: 1 })
  await release()
  const second = await write()
  expect(second).toEqual({ file: path.join(folder, '20261121203001_millrace_0_1_0.sql'), version: 3 })
  await apply(second.file)
  expect(await migrator()).toMatchObject({ applied: [], functions: 0, version: 3 })
  expect(await database.query('select millrace.count_things()::int as n')).toEqual([{ n: 42 }])
  expect(
    await database.query(`select indisvalid from pg_index where indexrelid = 'millrace.thing_id'::regclass`),
  ).toEqual([{ indisvalid: true }])
})

test('a changed function alone is worth a file, and one that was applied stays as it is', async () => {
  const first = await write()
  const text = fs.readFileSync(first.file!, 'utf8')
  await schema.write('functions/things/count_things.sql', countThings.replace('count(*)', '1 + count(*)'))
  const second = await write()
  expect(fs.readFileSync(first.file!, 'utf8')).toBe(text)
  await apply(first.file)
  await apply(second.file)
  expect(await database.query('select millrace.count_things()::int as n')).toEqual([{ n: 2 }])
})

test('a file that does not go on where the database stands changes nothing, and says where that is', async () => {
  const { file } = await write()
  await migrator()
  await expect(apply(file)).rejects.toThrow(/goes on from migration 0 of Millrace, and the database is at 1/)
  expect(await migrator()).toMatchObject({ applied: [], functions: 0 })
})

test('a folder that a newer release wrote to is refused, and names of files that this package did not write are passed by', async () => {
  await release()
  await write()
  await schema.remove('migrations/0003_index.sql')
  await expect(write()).rejects.toMatchObject({ code: 'schema_newer', fields: { applied: 3, known: 2 } })
  fs.rmSync(folder, { recursive: true })
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(path.join(folder, '20300101000000_millrace_notes.sql'), '-- mine\n')
  expect((await write()).file).toBe(path.join(folder, '20300101000001_millrace_0_1_0.sql'))
})
