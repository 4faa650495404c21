// What is recorded by statement: where each row counts, and old and new are paired by their key.
import { expect, test } from 'vitest'
import { openMeeting } from '../../../test/meeting.ts'
import { toldOf, watchTable } from '../../../test/watched.ts'

const { database, one } = await openMeeting()

const levels = async (table: string) =>
  (
    await database.query<{ row: boolean }>(
      "select distinct (tgtype & 1) = 1 as row from pg_trigger where tgrelid = $1::regclass and tgname ~ '^millrace_[0-9]+_(insert|update|delete)$'",
      [table],
    )
  ).map(({ row }) => (row ? 'row' : 'statement'))

test('G3 where each row counts a statement is recorded at once, and otherwise by row', async () => {
  await database.query('create table whole (id int primary key, n int, body text)')
  await watchTable(database, 'whole-ones', { table: 'whole' })
  expect(await levels('whole')).toEqual(['statement'])
  for (const [name, settings] of Object.entries({
    narrowed: { columns: ['n'] },
    filtered: { when: { insert: 'new.n > 1' } },
    lenient: { record_gaps: true },
    'update-only': { operations: ['update'] as const },
    'by-tenant': { tenant_column: 'body' },
  })) {
    const table = name.replace('-', '_')
    await database.query(`create table ${table} (id int primary key, n int, body text)`)
    await watchTable(database, name, { table, ...settings })
    expect([name, await levels(table)]).toEqual([name, ['row']])
  }
})

test('G3 an update of many keys at once pairs old and new by key: what came is an insert, what went a delete, the rest updates', async () => {
  await one.query(
    "insert into whole select i, i, (select string_agg(md5((i * j)::text), '') from generate_series(1, 200) j) from generate_series(1, 4) i",
  )
  await toldOf(database, 'whole-ones')
  await one.query('update whole set id = id + 10 where id <= 2')
  await one.query('update whole set n = case id when 3 then 33 else n end')
  await one.query('delete from whole where id = 4')
  const told = await toldOf(database, 'whole-ones')
  expect(
    told.map(({ operation, key, old, new: now }) => [operation, key?.['id'], old?.['n'], now?.['n']]),
  ).toEqual([
    ['delete', 1, 1, undefined],
    ['delete', 2, 2, undefined],
    ['insert', 11, undefined, 1],
    ['insert', 12, undefined, 2],
    ['update', 3, 3, 33],
    ['delete', 4, 4, undefined],
  ])
  expect(told[4]?.leftOut).toEqual({ body: 'unchanged' })
  expect(String(told[2]?.new?.['body'])).toHaveLength(6_400)
})

test('rows that share a key, which nothing makes unique, are recorded once each', async () => {
  await database.query('create table member (id int primary key, company text not null, n int)')
  await watchTable(database, 'members', { table: 'member', key: ['company'] })
  await one.query("insert into member values (1, 'acme', 0), (2, 'acme', 0), (3, 'acme', 0)")
  await toldOf(database, 'members')
  await one.query('update member set n = n + id')
  expect((await toldOf(database, 'members')).map(({ new: now }) => [now?.['id'], now?.['n']])).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
  ])
})

test('after many updates of one row the update of many is paired without a nested loop', async () => {
  for (let update = 0; update < 8; update++) await one.query('update whole set n = n + 1 where id = 11')
  await one.query("insert into whole select i, 0, '' from generate_series(1000, 21000) i")
  await one.query('delete from millrace.change')
  await one.query('update whole set n = n + 1 where id >= 1000')
  expect(
    await one.query("select count(*)::int as n from millrace.change where operation = 'update'"),
  ).toEqual([{ n: 20_001 }])
})
