// What a worker asks before it claims: is this the schema I was written for?
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createEmptyDatabase, type EmptyDatabase } from '../../test/empty-database.ts'
import { createSchemaFolder, type SchemaFolder } from '../../test/schema-folder.ts'
import { migrate } from './migrate.ts'
import { createPool } from './connection.ts'
import { checkSchema, checkSchemaOf } from './schema-check.ts'

let database: EmptyDatabase
let folder: SchemaFolder
let client: pg.Client
beforeAll(async () => {
  database = await createEmptyDatabase()
  folder = await createSchemaFolder({ 'migrations/0001_thing.sql': 'create table millrace.thing (id int);' })
  client = await database.connect()
})
afterAll(async () => {
  await folder.close()
  await database.close()
})

const check = () => checkSchema(client, folder.directory)

test('a database without the schema is refused', async () => {
  await expect(check()).rejects.toMatchObject({ code: 'schema_missing', hint: 'Run `npx millrace migrate`.' })
})

describe('in a migrated database', () => {
  beforeEach(async () => {
    await migrate({ client, directory: folder.directory })
  })

  test('the schema of this package is accepted', async () => {
    await expect(check()).resolves.toBeUndefined()
  })

  test('a schema with fewer migrations is refused', async () => {
    await folder.write('migrations/0002_more.sql', 'select 1;')
    await expect(check()).rejects.toMatchObject({
      code: 'schema_outdated',
      message: expect.stringContaining('is at migration 1 of 2'),
    })
    await folder.remove('migrations/0002_more.sql')
  })

  test('a schema with more migrations is refused', async () => {
    await database.query(`insert into millrace.migration values (2, 'more', 'x', now(), 'me', '9.0.0')`)
    await expect(check()).rejects.toMatchObject({ code: 'schema_newer' })
    await database.query('delete from millrace.migration where number = 2')
  })

  test('older functions are refused, newer ones serve a worker of the previous version', async () => {
    await database.query(`update millrace.function_set set checksum = 'other'`)
    await expect(check()).rejects.toMatchObject({
      code: 'schema_outdated',
      message: expect.stringContaining('older functions'),
    })
    await database.query(`update millrace.function_set set package_version = '99.0.0'`)
    await expect(check()).resolves.toBeUndefined()
    await database.query('delete from millrace.function_set')
  })

  test('an apply that stands half-way is refused', async () => {
    await database.query('delete from millrace.function_set')
    await expect(check()).rejects.toMatchObject({ code: 'schema_outdated' })
  })

  test('a login without rights is told so', async () => {
    await client.query('create role blind_worker; set role blind_worker')
    await expect(check()).rejects.toMatchObject({ code: 'database_rights_missing' })
    await client.query('reset role; drop role blind_worker')
  })
})

test('a server that went away just before is told of by its code, so that a worker that starts waits for it', async () => {
  const pool = createPool({ connectionString: 'postgres://millrace@127.0.0.1:1/away', connectionsMax: 1 })
  await expect(checkSchemaOf(pool)).rejects.toMatchObject({ code: 'database_unreachable' })
  await pool.end()
})
