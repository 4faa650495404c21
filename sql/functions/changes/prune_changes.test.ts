// What becomes of recorded changes that are told to nobody: those of a watch that its code declares no more, and those of one that is gone.
import { expect, test } from 'vitest'
import { defineCodeWatches, listWatches, type WatchDefinition } from '../../../src/db/watches.ts'
import { buffersOf } from '../../../test/buffers.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { chain, pruneAll, registerPipeline } from '../../../test/protocol.ts'
import { applyWatches, callerOf, toldOf } from '../../../test/watched.ts'

const { database, one, other } = await openMeeting()

/** As the code of a worker declares it, installed on a table of its own. */
async function declaredWatch(name: string, table: string): Promise<WatchDefinition> {
  await database.query(`create table ${table} (id int primary key, n int)`)
  await registerPipeline(database, name, chain('only'))
  const settings = { pipeline: name, schema: 'public', table, operations: ['insert'] } as const
  await deploy(name, { name, settings })
  await applyWatches(database, name)
  return { name, settings }
}

const deploy = (slug: string, ...declared: WatchDefinition[]) =>
  defineCodeWatches(callerOf(database), declared, [slug])

test('a watch that a deployment leaves out by mistake tells all that was recorded once it is declared again', async () => {
  const declared = await declaredWatch('orders', 'placed_order')
  await one.query('insert into placed_order values (1, 0)')
  expect(await deploy('orders')).toMatchObject([{ name: 'orders', change: 'retired' }])
  await one.query('insert into placed_order values (2, 0)')
  await database.clock.advance('6 days')
  await pruneAll(database)
  await deploy('orders', declared)
  expect((await toldOf(database, 'orders')).map(({ key }) => key)).toEqual([{ id: 1 }, { id: 2 }])
})

test('what is recorded of a watch that its code declares no more goes after a week, and is counted', async () => {
  const declared = await declaredWatch('refunds', 'paid_refund')
  await deploy('refunds')
  await one.query('insert into paid_refund values (1, 0), (2, 0)')
  await database.clock.advance('8 days')
  await other.query('begin')
  await other.query("select from millrace.change_watch where name = 'refunds' for update")
  await pruneAll(database)
  expect(await listWatches(callerOf(database), 'refunds')).toMatchObject([{ waiting: 2 }])
  await other.query('commit')
  await pruneAll(database)
  expect(await listWatches(callerOf(database), 'refunds')).toMatchObject([
    { waiting: 0, changes_dropped: '2' },
  ])
  await deploy('refunds', declared)
  await one.query('insert into paid_refund values (3, 0)')
  expect((await toldOf(database, 'refunds')).map(({ key }) => key)).toEqual([{ id: 3 }])
})

/** Records so many changes of a watch at once, as its triggers would one by one. */
const record = (name: string, count: number) =>
  database.query(
    `insert into millrace.change (watch_id, transaction, operation, key, at)
     select w.id, pg_current_xact_id(), 'insert', '{}', millrace.now()
       from millrace.change_watch w cross join generate_series(1, $2::int) where w.name = $1`,
    [name, count],
  )

test('more than one batch of what nobody is told of goes at one time, of each such watch', async () => {
  for (const name of ['invoices', 'receipts', 'deliveries']) {
    await declaredWatch(name, `sent_${name}`)
    if (name !== 'deliveries') await deploy(name)
    await record(name, 20_001)
  }
  await database.query("delete from millrace.change_watch where name = 'receipts'")
  await database.clock.advance('8 days')
  await pruneAll(database)
  expect(
    await database.query(
      `select w.name, w.changes_dropped, count(*)::int as recorded
         from millrace.change c left join millrace.change_watch w on w.id = c.watch_id group by w.name, w.changes_dropped`,
    ),
  ).toEqual([{ name: 'deliveries', changes_dropped: '0', recorded: 20_001 }])
  expect(await listWatches(callerOf(database), 'invoices')).toMatchObject([{ changes_dropped: '20001' }])
})

test('looking for what nobody is told of reads as much however many changes wait to be told', async () => {
  const look = () => buffersOf(one, (counted) => counted.query('select * from millrace.prune_history()'))
  await database.query('vacuum analyze millrace.change')
  const waiting = await look()
  await record('deliveries', 50_000)
  await database.query('vacuum analyze millrace.change')
  expect(await look()).toBeLessThan(waiting + 50)
})
