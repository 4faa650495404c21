// What is recorded of a watched table, and in which form: every way in which rows come, change and go.
import { expect, test } from 'vitest'
import { clientCaller } from '../../../src/db/call.ts'
import { applyWatch, defineWatch, listWatches, planWatches } from '../../../src/db/watches.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { chain, registerPipeline } from '../../../test/protocol.ts'
import { callerOf, tellAll, toldOf, toldRuns, watchTable } from '../../../test/watched.ts'

const { database, one } = await openMeeting()

test('FO-1 a change that is committed starts its run, and one that is rolled back starts none', async () => {
  await database.query('create table people (id int primary key, title text, company text, seen int)')
  await watchTable(database, 'enrich', { table: 'people', columns: ['title', 'company'] })
  await one.query('begin')
  await one.query("insert into people values (1, 'CTO', 'Acme', 0)")
  expect(await toldOf(database, 'enrich')).toEqual([])
  await one.query('rollback')
  expect(await toldOf(database, 'enrich')).toEqual([])
  await one.query("insert into people values (1, 'CTO', 'Acme', 0)")
  expect(await toldOf(database, 'enrich')).toMatchObject([
    {
      operation: 'insert',
      key: { id: 1 },
      old: null,
      new: { id: 1, title: 'CTO', company: 'Acme' },
      changes: 1,
    },
  ])
  await one.query('begin')
  await one.query('savepoint s')
  await one.query("update people set title = 'lost' where id = 1")
  await one.query('rollback to s')
  await one.query("update people set title = 'CEO' where id = 1")
  await one.query('commit')
  expect(await toldOf(database, 'enrich')).toMatchObject([
    { operation: 'update', old: { title: 'CTO' }, new: { id: 1, title: 'CEO', company: 'Acme' } },
  ])
})

test('FO-1 an update of other columns, or that changes nothing, is not recorded at all', async () => {
  await one.query('update people set seen = seen + 1')
  await one.query('update people set title = title')
  expect(await database.query('select * from millrace.change')).toEqual([])
})

test('FO-1 a change starts its run exactly once, however many tell it at once', async () => {
  await one.query("insert into people select i, 'x', 'y', 0 from generate_series(10, 200) i")
  await Promise.all([
    tellAll(database, 10),
    tellAll(database, 10),
    tellAll(database, 10),
    tellAll(database, 10),
  ])
  await tellAll(database)
  const runs = await toldRuns(database, 'enrich')
  const keys = runs.map(({ input }) => input.key?.['id']).filter((id) => Number(id) >= 10)
  expect(keys).toHaveLength(191)
  expect(new Set(keys).size).toBe(191)
  expect(await database.query('select * from millrace.change')).toEqual([])
})

test('G3 insert, update, delete, truncate, COPY, MERGE and ON CONFLICT are all recorded', async () => {
  await database.query('create table item (id int primary key, n int)')
  await watchTable(database, 'items', {
    table: 'item',
    operations: ['insert', 'update', 'delete', 'truncate'],
  })
  await one.query('insert into item values (1, 1), (2, 2)')
  await one.query('update item set n = n + 10')
  await one.query('insert into item values (1, 5), (3, 3) on conflict (id) do update set n = excluded.n')
  await one.query(`merge into item i using (values (2, 22), (4, 44)) v(id, n) on i.id = v.id
    when matched then update set n = v.n when not matched then insert values (v.id, v.n)`)
  await one.query("copy item from program 'echo 9,9' with (format csv)")
  await one.query('delete from item where id = 3')
  await one.query('truncate item')
  const told = await toldOf(database, 'items')
  expect(told.map(({ operation, key, new: now }) => [operation, key?.['id'], now?.['n']])).toEqual([
    ['insert', 1, 1],
    ['insert', 2, 2],
    ['update', 1, 11],
    ['update', 2, 12],
    ['update', 1, 5],
    ['insert', 3, 3],
    ['update', 2, 22],
    ['insert', 4, 44],
    ['insert', 9, 9],
    ['delete', 3, undefined],
    ['truncate', undefined, undefined],
  ])
  expect(told.at(-1)?.emptied).toEqual(['public.item'])
})

test('G3 what a foreign key cascades is recorded', async () => {
  await database.query('create table firm (id int primary key)')
  await database.query(
    'create table member (id int primary key, firm int references firm on delete cascade on update cascade)',
  )
  await watchTable(database, 'members', { table: 'member' })
  await one.query('insert into firm values (1), (2)')
  await one.query('insert into member values (10, 1), (11, 2)')
  await toldOf(database, 'members')
  await one.query('update firm set id = 3 where id = 1')
  await one.query('delete from firm where id = 2')
  expect((await toldOf(database, 'members')).map(({ operation, key }) => [operation, key?.['id']])).toEqual([
    ['update', 10],
    ['delete', 11],
  ])
})

test('G3 on a partitioned table a row that moves is one update, and a partition that comes later is watched', async () => {
  await database.query(
    'create table visit (id int, region text, n int, primary key (id, region)) partition by list (region)',
  )
  await database.query("create table visit_north partition of visit for values in ('n')")
  await database.query(
    "create table visit_south partition of visit for values in ('s', 't') partition by list (region)",
  )
  await database.query("create table visit_s partition of visit_south for values in ('s')")
  await database.query("create table visit_t partition of visit_south for values in ('t')")
  await watchTable(database, 'visits', {
    table: 'visit',
    key: ['id'],
    operations: ['insert', 'update', 'delete', 'truncate'],
  })
  await watchTable(database, 'moved-visits', {
    table: 'visit',
    key: ['id'],
    operations: ['update'],
    columns: ['region'],
    when: { update: 'new.n > 1' },
  })
  await database.query("create table visit_west partition of visit for values in ('w')")
  await one.query("insert into visit values (1, 'n', 1), (2, 's', 2), (3, 'w', 3)")
  await one.query("insert into visit_north values (4, 'n', 4)")
  await one.query("update visit set region = 's' where region = 'n'")
  await one.query("update visit_south set region = 't' where id = 2")
  await one.query('update visit set n = 7 where id = 3')
  await one.query('delete from visit where id = 4')
  await one.query('truncate visit')
  const words = (told: Awaited<ReturnType<typeof toldOf>>) =>
    told.map(({ operation, key, old, new: now }) => [
      operation,
      key?.['id'],
      old?.['region'],
      now?.['region'],
    ])
  expect(words(await toldOf(database, 'visits'))).toEqual([
    ['insert', 1, undefined, 'n'],
    ['insert', 2, undefined, 's'],
    ['insert', 3, undefined, 'w'],
    ['insert', 4, undefined, 'n'],
    ['update', 1, 'n', 's'],
    ['update', 4, 'n', 's'],
    ['update', 2, 's', 't'],
    ['update', 3, 'w', 'w'],
    ['delete', 4, 's', undefined],
    ['truncate', undefined, undefined, undefined],
  ])
  expect(words((await toldRuns(database, 'moved-visits')).map(({ input }) => input))).toEqual([
    ['update', 4, 'n', 's'],
    ['update', 2, 's', 't'],
  ])
})

test('G3 a row moves into a partition whose columns are in another order, and back', async () => {
  await database.query('create table trip (id int, region text, n int) partition by list (region)')
  await database.query("create table trip_north partition of trip for values in ('n')")
  await database.query('create table trip_south (gone int, n int, region text, id int)')
  await database.query('alter table trip_south drop column gone')
  await database.query("alter table trip attach partition trip_south for values in ('s')")
  await watchTable(database, 'trips', { table: 'trip', key: ['id'] })
  await one.query("insert into trip values (1, 'n', 5)")
  await one.query("update trip set region = 's', n = 6")
  await one.query("update trip set region = 'n'")
  expect(
    (await toldOf(database, 'trips')).map(({ operation, old, new: now }) => [operation, old?.['n'], now]),
  ).toEqual([
    ['insert', undefined, { id: 1, region: 'n', n: 5 }],
    ['update', 5, { id: 1, region: 's', n: 6 }],
    ['update', 6, { id: 1, region: 'n', n: 6 }],
  ])
})

test('G3 what MERGE deletes and inserts beside its updates is no row that moved', async () => {
  await database.query('create table room (id int, region text, n int) partition by list (region)')
  await database.query("create table room_north partition of room for values in ('n')")
  await watchTable(database, 'rooms-gone', { table: 'room', key: ['id'], operations: ['delete'] })
  await watchTable(database, 'rooms-changed', { table: 'room', key: ['id'], operations: ['update'] })
  await one.query("insert into room values (1, 'n', 1), (2, 'n', 2)")
  await one.query(`merge into room using (values (1), (2), (9)) g(id) on room.id = g.id
    when matched and g.id = 1 then delete when matched then update set n = 7
    when not matched then insert values (g.id, 'n', 0)`)
  const keys = async (slug: string) => (await toldOf(database, slug)).map(({ key }) => key?.['id'])
  expect(await keys('rooms-changed')).toEqual([2])
  expect((await toldRuns(database, 'rooms-gone')).map(({ input }) => input.key?.['id'])).toEqual([1])
})

test('G3 what MERGE deletes in one partition and inserts into another is no row that moved, and what it moves is', async () => {
  await database.query(
    'create table hall (id int, region text, n int, primary key (id, region)) partition by list (region)',
  )
  await database.query("create table hall_north partition of hall for values in ('n')")
  await database.query("create table hall_south partition of hall for values in ('s')")
  await watchTable(database, 'halls-gone', { table: 'hall', key: ['id'], operations: ['delete'] })
  await watchTable(database, 'halls-changed', { table: 'hall', operations: ['update', 'delete'] })
  await one.query("insert into hall values (1, 'n', 1), (2, 's', 2), (3, 'n', 3), (4, 'n', 4)")
  await one.query(`merge into hall using (values (1), (9), (2), (3), (4)) g(id) on hall.id = g.id
    when matched and g.id in (1, 4) then delete when matched and g.id = 3 then update set region = 's'
    when matched then update set n = 7 when not matched then insert values (g.id, 's', 0)`)
  const words = async (slug: string) =>
    (await toldOf(database, slug)).map(({ operation, key, old, new: now }) => [
      operation,
      key?.['id'],
      old?.['n'],
      now?.['n'],
    ])
  expect((await words('halls-changed')).toSorted()).toEqual([
    ['delete', 1, 1, undefined],
    ['delete', 4, 4, undefined],
    ['update', 2, 2, 7],
    ['update', 3, 3, 3],
  ])
  const gone = async () => (await toldRuns(database, 'halls-gone')).map(({ input }) => input.key?.['id'])
  expect((await gone()).toSorted()).toEqual([1, 4])
  await one.query("update hall set region = 'n' where id = 9")
  await one.query("update hall set id = 5, region = 'n' where id = 3")
  expect(await words('halls-changed')).toEqual([
    ['update', 9, 0, 0],
    ['update', 5, 3, 3],
  ])
  expect(await gone()).toHaveLength(2)
})

test('G3 a table from which others inherit is refused, and one that got an heir later is said', async () => {
  await database.query('create table animal (id int primary key)')
  await watchTable(database, 'animals', { table: 'animal' })
  await database.query('create table dog () inherits (animal)')
  expect(await listWatches(callerOf(database), 'animals')).toMatchObject([
    { problems: [expect.stringContaining('inherit') as string] },
  ])
  await expect(watchTable(database, 'all-animals', { table: 'animal' })).rejects.toThrow('inherit')
  await database.query('drop table dog')
})

test('a watch that was changed between its plan and its installing is not marked as what it asks for now', async () => {
  await database.query('create table planned (id int primary key, n int)')
  await registerPipeline(database, 'planned-ones', chain('only'))
  const define = (when: object) =>
    defineWatch(callerOf(database), {
      name: 'planned-ones',
      settings: {
        operations: ['insert'],
        ...when,
        pipeline: 'planned-ones',
        schema: 'public',
        table: 'planned',
      },
    })
  await define({})
  const [plan] = await planWatches(callerOf(database), 'planned-ones')
  await define({ when: { insert: 'new.n > 1' } })
  const client = await database.pool.connect()
  await expect(inTransaction(client, () => applyWatch(clientCaller(client), plan!))).rejects.toMatchObject({
    code: 'watch_invalid',
  })
  client.release()
})

test('names and conditions that would end the text of a function are refused', async () => {
  await database.query('create table odd (id int primary key, "$millrace$; select 1" int)')
  await expect(watchTable(database, 'odd-ones', { table: 'odd' })).rejects.toThrow('$millrace$')
  await database.query('drop table odd')
})

test('an update of the key is a delete of the one and an insert of the other', async () => {
  await one.query('insert into item values (50, 0)')
  await one.query('update item set id = 51 where id = 50')
  expect((await toldOf(database, 'items')).map(({ operation, key }) => [operation, key?.['id']])).toEqual([
    ['insert', 50],
    ['delete', 50],
    ['insert', 51],
  ])
})

test('G8 large columns that did not change are left out, too large ones as well, and numbers stay exact', async () => {
  await database.query(`create table page (id bigint primary key, body text, big text, amount numeric, doc jsonb, j json,
    double int generated always as (length(body) * 2) stored)`)
  await watchTable(database, 'pages', { table: 'page' })
  await one.query(`insert into page (id, body, big, amount, doc, j) select 9007199254740993, string_agg(md5(i::text), ''), null, 12345678901234567890.5,
    '{"n": 9007199254740993}', '{"a": 1}' from generate_series(1, 500) i`)
  await one.query('update page set amount = 1.5')
  await one.query(
    `update page set big = (select string_agg(md5(i::text), '') from generate_series(1, 9000) i)`,
  )
  const [created, priced, grown] = await toldOf(database, 'pages')
  expect(created?.new).toMatchObject({
    id: '9007199254740993',
    amount: '12345678901234567890.5',
    double: 32_000,
  })
  expect(String(created?.new?.['body'])).toHaveLength(16_000)
  expect(priced).toMatchObject({
    old: { amount: '12345678901234567890.5' },
    new: { amount: 1.5 },
    leftOut: { body: 'unchanged' },
  })
  expect(priced?.new).not.toHaveProperty('body')
  expect(grown?.leftOut).toEqual({ body: 'unchanged', big: 'too large' })
  const [exact] = await database.query(
    "select input #>> '{new,doc,n}' as n from millrace.run where slug = 'pages' and input ->> 'operation' = 'insert'",
  )
  expect(exact).toEqual({ n: '9007199254740993' })
})

test('G6 by default a change that can not be recorded is not made; or its gap is recorded, and the writer goes on', async () => {
  await database.query('create table strict_one (id int primary key)')
  await database.query('create table lenient_one (id int primary key)')
  await watchTable(database, 'strict-ones', { table: 'strict_one' })
  await watchTable(database, 'lenient-ones', {
    table: 'lenient_one',
    record_gaps: true,
    when: { insert: '1 / new.id > 0' },
  })
  await database.query('alter table millrace.change add constraint nothing check (watch_id < 0) not valid')
  await expect(one.query('insert into strict_one values (1)')).rejects.toThrow('nothing')
  await one.query('insert into lenient_one values (1), (0)')
  await database.query('alter table millrace.change drop constraint nothing')
  expect(
    await database.query('select id from strict_one union all select id from lenient_one order by 1'),
  ).toEqual([{ id: 0 }, { id: 1 }])
  expect(await database.query('select sqlstate from millrace.change_gap order by id')).toEqual([
    { sqlstate: '23514' },
    { sqlstate: '22012' },
  ])
})
