// What of the recorded changes is told, and what may wait without holding up others: keys that are refused, other tenants' rows, large changes.
import { expect, test } from 'vitest'
import { defineWatch, startBackfill } from '../../../src/db/watches.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { cancelRun, chain, registerPipeline } from '../../../test/protocol.ts'
import { callerOf, tellAll, toldOf, toldRuns, watchTable } from '../../../test/watched.ts'

const { database, one } = await openMeeting()

test('more refused changes of one key than a batch takes hold up no other key, and keep their order', async () => {
  await database.query('create table hot (id int primary key, n int)')
  await registerPipeline(database, 'hot-ones', chain('only'), [['id']])
  await watchTable(database, 'heating', {
    table: 'hot',
    pipeline: 'hot-ones',
    map: { id: ['key', 'id'], n: ['new', 'n'] },
  })
  await one.query('insert into hot values (1, 0)')
  for (let n = 1; n <= 40; n += 1) await one.query('update hot set n = $1 where id = 1', [n])
  await tellAll(database, 5)
  await one.query('insert into hot values (2, 0)')
  for (let look = 0; look < 20; look += 1) {
    await tellAll(database, 5)
    await database.clock.advance('400 ms')
  }
  expect((await toldRuns(database, 'hot-ones')).map(({ input }) => input)).toEqual([
    { id: 1, n: 0 },
    { id: 2, n: 0 },
  ])
  for (let n = 1; n <= 4; n += 1) {
    await database.query(
      "select millrace.cancel_run(id) from millrace.run where slug = 'hot-ones' and finished_at is null",
    )
    await database.clock.advance('1 minute')
    await tellAll(database, 5)
    const told = (await toldRuns(database, 'hot-ones')).map(
      ({ input }) => input as unknown as { n: number; id: number },
    )
    expect(
      told
        .filter(({ id }) => id === 1)
        .map((one) => one.n)
        .sort(),
    ).toEqual(Array.from({ length: n + 1 }, (_, i) => i))
  }
})

test('more changes of a key than a batch looks at wait behind its live run: one of them is put off, and others begin', async () => {
  await database.query('create table entry (account int, n int)')
  await watchTable(database, 'entries', {
    table: 'entry',
    key: ['account'],
    operations: ['insert'],
    by_key: true,
  })
  await one.query('insert into entry select 1, n from generate_series(1, 20001) n')
  await one.query('insert into entry values (2, 0)')
  const told = async () =>
    (await toldOf(database, 'entries')).map(({ key, new: now }) => [key?.['account'], now?.['n']])
  expect(await told()).toEqual([
    [1, 1],
    [2, 0],
  ])
  expect(
    await database.query(
      `select c.held_reason, count(*)::int from millrace.change c join millrace.change_watch w on w.id = c.watch_id
        where w.name = 'entries' and c.held_until is not null group by 1`,
    ),
  ).toEqual([{ held_reason: 'the run of an earlier change of its key is live', count: 1 }])
  await one.query('insert into entry values (3, 0)')
  expect(await told()).toEqual([[3, 0]])
  for (const { id } of await toldRuns(database, 'entries')) await cancelRun(database, id)
  await database.clock.advance('5 seconds')
  expect(await told()).toEqual([[1, 2]])
}, 60_000)

test.each([
  ['one after the other', 'queued', { by_key: true }],
  ['gathered', 'gathered', { coalesce_ms: 1_000 }],
])(
  'what a batch costs does not grow with the square of how many keys wait (%s)',
  async (_, name, settings) => {
    const table = `many_${name}`
    await database.query(`create table ${table} (id int primary key, n int)`)
    await watchTable(database, `many-${name}`, { table, ...settings })
    await one.query(`insert into ${table} select i, 0 from generate_series(1, 10000) i`)
    await one.query(`update ${table} set n = 1`)
    await database.clock.advance('1 second')
    // Each with each takes minutes.
    await one.query("set statement_timeout = '30s'")
    expect(await one.query('select done from millrace.deliver_changes(500)')).toEqual([{ done: 500 }])
    await one.query('reset statement_timeout')
  },
  120_000,
)

test('G9 a watch that is given to a tenant tells it nothing that was recorded of others before', async () => {
  await database.query('create table offer (id int primary key, account text, cents int)')
  await watchTable(database, 'offers', { table: 'offer' })
  await one.query("insert into offer values (1, 'acme', 1), (2, 'other', 2)")
  const given = (tenant: string) => ({
    name: 'offers',
    settings: {
      operations: ['insert', 'update', 'delete'] as const,
      tenant_column: 'account',
      tenant,
      pipeline: 'offers',
      schema: 'public',
      table: 'offer',
    },
  })
  await defineWatch(callerOf(database), given('acme'))
  await one.query("insert into offer values (3, 'other', 3)")
  expect(await toldOf(database, 'offers')).toEqual([])
  expect(
    await database.query("select changes_dropped from millrace.change_watch where name = 'offers'"),
  ).toEqual([{ changes_dropped: '3' }])
})

test('G8 of gathered changes a large value that an earlier one tells is not left out', async () => {
  await database.query('create table article (id int primary key, body text, n int)')
  await database.query(
    "insert into article select 1, string_agg(md5(i::text), ''), 0 from generate_series(1, 200) i",
  )
  await watchTable(database, 'articles', { table: 'article', coalesce_ms: 1_000 })
  await one.query("update article set body = 'z' || body")
  await one.query('update article set n = 5')
  await database.clock.advance('2 seconds')
  const [told, ...others] = await toldOf(database, 'articles')
  expect(others).toEqual([])
  expect(told).toMatchObject({ changes: 2, new: { n: 5, body: expect.stringMatching(/^z/) as string } })
  expect(told?.leftOut).toBeUndefined()
})

test('a row that a backfill tells and that is deleted within the time is a delete with its old values', async () => {
  await database.query('create table volume (id int primary key, title text, n int)')
  await database.query("insert into volume values (1, 'one', 0), (2, 'two', 0), (3, 'three', 0)")
  await watchTable(database, 'volumes', { table: 'volume', coalesce_ms: 1_000 })
  await startBackfill(callerOf(database), 'volumes', 'true')
  await tellAll(database)
  await one.query('delete from volume where id = 1')
  await one.query('update volume set n = 1 where id > 1')
  await one.query('delete from volume where id = 2')
  await database.clock.advance('2 seconds')
  expect(await toldOf(database, 'volumes')).toMatchObject([
    { operation: 'delete', key: { id: 1 }, old: { title: 'one', n: 0 }, new: null, changes: 2 },
    { operation: 'backfill', key: { id: 3 }, old: null, new: { title: 'three', n: 1 } },
    { operation: 'delete', key: { id: 2 }, old: { title: 'two', n: 0 }, new: null, changes: 3 },
  ])
})

test('G8 changes that are too large together for one batch are told in smaller ones', async () => {
  await database.query('create table document (id int primary key, body text)')
  await one.query("insert into document select i, repeat('x', 5000000) from generate_series(1, 55) i")
  await watchTable(database, 'documents', { table: 'document', map: { id: ['key', 'id'] } })
  await one.query('delete from document')
  expect(await toldOf(database, 'documents')).toHaveLength(55)
})

test('G8 gathered changes of one key that are too large together are told in parts, fewer at a time', async () => {
  await database.query('create table page (id int primary key, body text)')
  await one.query("insert into page values (1, repeat('x', 5000000))")
  await watchTable(database, 'pages', {
    table: 'page',
    operations: ['delete'],
    coalesce_ms: 1_000,
    map: { changes: ['changes'] },
  })
  await one.query('delete from page')
  // As they are stored, none is unpacked: together they are more than an array can hold.
  await database.query(
    `insert into millrace.change (watch_id, transaction, operation, key, old, at)
     select c.watch_id, c.transaction, c.operation, c.key, c.old, c.at
       from millrace.change c join millrace.change_watch w on w.id = c.watch_id cross join generate_series(1, 219)
      where w.name = 'pages'`,
  )
  await database.clock.advance('2 seconds')
  await database.query('select millrace.deliver_changes()')
  expect((await toldRuns(database, 'pages')).map(({ input }) => input)).toEqual([{ changes: 5 }])
  await database.query('truncate millrace.change')
})
