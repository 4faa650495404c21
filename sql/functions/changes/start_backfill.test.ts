// Rows that are there already, told beside those who write.
import { expect, test } from 'vitest'
import { startBackfill, workBackfills } from '../../../src/db/watches.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { callerOf, toldOf, watchTable } from '../../../test/watched.ts'

const { database, one, other } = await openMeeting()

test('G1 a row that is written while a backfill tells it is told in the order of the commits, last as it is', async () => {
  await database.query('create table ware (id int primary key, n int)')
  await database.query('insert into ware values (1, 0), (2, 0)')
  await watchTable(database, 'wares', { table: 'ware' })
  await startBackfill(callerOf(database), 'wares', 'true')
  await one.query('begin')
  await one.query('update ware set n = 1 where id = 1')
  const filling = other.query('select done from millrace.work_backfills(500)')
  await Promise.race([filling, waits('work_backfills')])
  await one.query('commit')
  await filling
  const told = (await toldOf(database, 'wares')).filter(({ key }) => key?.['id'] === 1)
  expect(told.map(({ operation, new: now }) => [operation, now?.['n']])).toEqual([
    ['update', 1],
    ['backfill', 1],
  ])
})

test('a backfill gives up a batch of which a row stays locked, and goes on when that is free', async () => {
  await database.query('create table shelf (id int primary key, n int)')
  await database.query('insert into shelf values (1, 0), (2, 0)')
  await watchTable(database, 'shelves', { table: 'shelf' })
  await startBackfill(callerOf(database), 'shelves', 'true')
  await one.query('begin')
  await one.query('update shelf set n = 1 where id = 2')
  expect(await workBackfills(callerOf(database), 500)).toEqual({ done: 0, more: false })
  await one.query('update shelf set n = 1 where id = 1')
  await one.query('commit')
  expect((await toldOf(database, 'shelves')).map(({ operation }) => operation)).toEqual([
    'update',
    'update',
    'backfill',
    'backfill',
  ])
})

test('a backfill of which a row stays locked keeps no other one waiting', async () => {
  for (const [name, table] of [
    ['crates', 'crate'],
    ['pallets', 'pallet'],
  ] as const) {
    await database.query(`create table ${table} (id int primary key, n int)`)
    await database.query(`insert into ${table} values (1, 0)`)
    await watchTable(database, name, { table })
    await startBackfill(callerOf(database), name, 'true')
  }
  await one.query('begin')
  await one.query('update crate set n = 1 where id = 1')
  expect((await toldOf(database, 'pallets')).map(({ operation }) => operation)).toEqual(['backfill'])
  await one.query('commit')
  expect((await toldOf(database, 'crates')).map(({ operation }) => operation)).toEqual(['update', 'backfill'])
})

test('a backfill for which the server lacks something goes on when that is back, says so meanwhile, and keeps no other one waiting', async () => {
  await database.query('create table shortage (on_shelves text)')
  await database.query("insert into shortage values ('drums')")
  await database.query(
    `create function public.has_room(shelves text) returns boolean language plpgsql as
       'begin if exists (select from public.shortage s where s.on_shelves = shelves) then raise exception ''out of memory'' using errcode = ''53200''; end if; return true; end'`,
  )
  for (const [name, table] of [
    ['drums', 'drum'],
    ['barrels', 'barrel'],
  ] as const) {
    await database.query(`create table ${table} (id int primary key, n int)`)
    await database.query(`insert into ${table} values (1, 0)`)
    await watchTable(database, name, { table })
    await startBackfill(callerOf(database), name, `public.has_room('${name}')`)
  }
  expect((await toldOf(database, 'barrels')).map(({ operation }) => operation)).toEqual(['backfill'])
  await expect(workBackfills(callerOf(database), 500)).rejects.toThrow('out of memory')
  await database.query('delete from shortage')
  expect((await toldOf(database, 'drums')).map(({ operation }) => operation)).toEqual(['backfill'])
})

test('several backfills are told by as many workers at once', async () => {
  await database.query('create table bin (id int primary key, n int)')
  await database.query('insert into bin values (1, 0), (2, 0)')
  await watchTable(database, 'bins', { table: 'bin' })
  await startBackfill(callerOf(database), 'bins', 'id = 1')
  await startBackfill(callerOf(database), 'bins', 'id = 2')
  const work = 'select done from millrace.work_backfills(500)'
  await Promise.all([one.query('begin'), other.query('begin')])
  expect(await one.query(work)).toEqual([{ done: 1 }])
  expect(await other.query(work)).toEqual([{ done: 1 }])
  await Promise.all([one.query('commit'), other.query('commit')])
  expect((await toldOf(database, 'bins')).map(({ key }) => key?.['id'])).toEqual([1, 2])
})

test('a backfill by a key that PostgreSQL itself does not order is refused', async () => {
  await database.query('create extension citext')
  await database.query('create table account (email citext primary key)')
  await watchTable(database, 'accounts', { table: 'account' })
  await expect(startBackfill(callerOf(database), 'accounts', 'true')).rejects.toMatchObject({
    code: 'watch_invalid',
  })
})

/** Until somebody waits for a lock in this. */
async function waits(words: string): Promise<void> {
  for (;;) {
    const found = await database.query(
      "select from pg_stat_activity where wait_event_type = 'Lock' and query ~ $1",
      [words],
    )
    if (found.length > 0) return
  }
}
