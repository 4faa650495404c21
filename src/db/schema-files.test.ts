// The SQL files of the package: what a folder may hold, and what is refused before any database is asked.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSchemaFolder, type SchemaFolder } from '../../test/schema-folder.ts'
import { readSchemaFiles } from './schema-files.ts'

let folder: SchemaFolder
beforeAll(async () => {
  folder = await createSchemaFolder({
    'migrations/0001_thing.sql': 'create table millrace.thing (id int);',
    'functions/clock/now.sql': functionNamed('now'),
  })
})
afterAll(() => folder.close())

function functionNamed(name: string): string {
  return `create or replace function millrace.${name}() returns int language sql as $$ select 1; $$;\n`
}

test('the folder of the package is found', async () => {
  const files = await readSchemaFiles()
  expect(files.migrations[0]?.number).toBe(1)
  expect(files.functions.map(({ file }) => file)).toContain('clock/now.sql')
  expect(files.roles).toContain('create role millrace_worker')
})

test('migrations and functions come in one order everywhere', async () => {
  await folder.write('migrations/0002_more.sql', 'select 1;')
  await folder.write('functions/runs/a_run.sql', functionNamed('a_run'))
  const { migrations, functions } = await readSchemaFiles(folder.directory)
  expect(migrations.map(({ number, name }) => [number, name])).toEqual([
    [1, 'thing'],
    [2, 'more'],
  ])
  expect(functions.map(({ file }) => file)).toEqual(['clock/now.sql', 'runs/a_run.sql'])
})

test('the checksum of the functions changes with each file that is applied anew', async () => {
  const checksums = new Set<string>()
  const read = async (): Promise<unknown> =>
    checksums.add((await readSchemaFiles(folder.directory)).functionsChecksum)
  await read()
  await folder.write('functions/clock/now.sql', functionNamed('now').replace('1', '2'))
  await read()
  await folder.write('grants.sql', 'grant usage on schema millrace to millrace_x;')
  await read()
  await folder.write('roles.sql', 'create role millrace_x nologin;')
  await read()
  expect(checksums.size).toBe(4)
})

describe('a folder is refused', () => {
  test.each([
    ['without the number before', 'migrations/0009_late.sql', 'select 1;', 'migration_gap'],
    ['with a number twice', 'migrations/0001_again.sql', 'select 1;', 'migration_gap'],
    ['with a migration without name', 'migrations/0003.sql', 'select 1;', 'sql_file_invalid'],
    [
      'with a commit in a migration',
      'migrations/0003_x.sql',
      'select 1; commit; select 2;',
      'sql_file_invalid',
    ],
    [
      'with a function under another name',
      'functions/clock/then.sql',
      functionNamed('now'),
      'sql_file_invalid',
    ],
    [
      'with a function of no schema',
      'functions/clock/then.sql',
      functionNamed('now').replace('millrace.', ''),
      'sql_file_invalid',
    ],
    [
      'with two functions in a file',
      'functions/clock/then.sql',
      functionNamed('then') + functionNamed('now'),
      'sql_file_invalid',
    ],
    ['with a function outside a noun', 'functions/then.sql', functionNamed('then'), 'sql_file_invalid'],
  ])('%s', async (_, file, text, code) => {
    await folder.write(file, text)
    await expect(readSchemaFiles(folder.directory)).rejects.toMatchObject({ code })
    await folder.remove(file)
  })

  test('that does not exist', async () => {
    const missing = readSchemaFiles(`${folder.directory}-not`)
    await expect(missing).rejects.toMatchObject({ code: 'sql_files_missing', hint: expect.any(String) })
  })
})
