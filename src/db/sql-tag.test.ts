// The transactions that single statements of handlers run in: what a failed one leaves of its connection.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEmptyDatabase, type EmptyDatabase } from '../../test/empty-database.ts'
import { createPool } from './connection.ts'
import { eachInTransaction, taggedSql } from './sql-tag.ts'

let database: EmptyDatabase
beforeAll(async () => {
  database = await createEmptyDatabase()
})
afterAll(() => database.close())

test('a statement that was not answered in time is not committed by the next one of its connection', async () => {
  const other = await database.connect()
  await other.query('create table note (text text)')
  const pool = createPool({ connectionString: database.url, connectionsMax: 1, answerTimeoutMs: 500 })
  const sql = taggedSql(eachInTransaction(pool, 'read write', 'a test database'))
  try {
    await other.query('begin; lock table note in share mode')
    await expect(sql`insert into note values (${'given up'})`).rejects.toThrow()
    await other.query('commit')
    await sql`insert into note values (${'next'})`
    expect((await other.query('select text from note')).rows).toEqual([{ text: 'next' }])
  } finally {
    await pool.end()
  }
})
