// How changes become runs: none passed over, transactions whole, in the order of each key, gathered, held and cut where they must be.
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { listWatches } from '../../../src/db/watches.ts'
import { openMeeting } from '../../../test/meeting.ts'
import { seededDraws } from '../../../test/millrace.ts'
import { workerFor } from '../../../test/pipeline-worker.ts'
import {
  cancelRun,
  chain,
  claimOne,
  connect,
  type Connection,
  newId,
  registerPipeline,
  startRun,
  untilBlocked,
} from '../../../test/protocol.ts'
import {
  applyWatches,
  callerOf,
  tellAll,
  type ToldRun,
  toldOf,
  toldRuns,
  watchTable,
} from '../../../test/watched.ts'

const { database, one, other } = await openMeeting()

const words = (told: readonly ToldRun['input'][]) =>
  told.map(({ operation, key, new: now }) => [operation, key?.['id'], now?.['n']])

test('G1 a change with a lower number that is committed later is told later, and none is passed over', async () => {
  await database.query('create table early (id int primary key, n int)')
  await watchTable(database, 'early-ones', { table: 'early' })
  await one.query('begin')
  await one.query('insert into early values (1, 1)')
  await other.query('insert into early values (2, 2)')
  expect(words(await toldOf(database, 'early-ones'))).toEqual([['insert', 2, 2]])
  await one.query('commit')
  expect(words(await toldOf(database, 'early-ones'))).toEqual([['insert', 1, 1]])
})

test('G1 of one row the changes are told in the order of their commits, whichever transaction began first', async () => {
  await one.query('begin')
  await one.query('select pg_current_xact_id()')
  await other.query('update early set n = 10 where id = 1')
  await one.query('update early set n = 11 where id = 1')
  await one.query('commit')
  expect(words(await toldOf(database, 'early-ones'))).toEqual([
    ['update', 1, 10],
    ['update', 1, 11],
  ])
})

test('G2 a batch cuts no transaction in two, and a larger one than three batches goes in parts, in its order', async () => {
  await database.query('create table whole (id int primary key, n int)')
  await watchTable(database, 'whole-ones', { table: 'whole' })
  await one.query('begin')
  await one.query('insert into whole select i, 0 from generate_series(1, 4) i')
  await other.query('insert into whole values (10, 0)')
  await one.query('insert into whole select i, 0 from generate_series(5, 8) i')
  await one.query('commit')
  await other.query('insert into whole select i, 0 from generate_series(20, 40) i')
  const batches: number[] = []
  for (let done = 1; done > 0; ) {
    const [row] = await database.query<{ done: number }>('select done from millrace.deliver_changes(5)')
    done = row?.done ?? 0
    if (done > 0) batches.push(done)
  }
  expect(batches[0]).toBe(9)
  expect(batches.slice(1).reduce((sum, n) => sum + n, 0)).toBe(21)
  const told = (await toldRuns(database, 'whole-ones')).map(({ input }) => input.key?.['id'])
  expect(told.slice(9)).toEqual(Array.from({ length: 21 }, (_, i) => i + 20))
})

test('G2 a transaction that commits while a batch is made is told whole, in a later one', async () => {
  await database.query('create table half (id int primary key, account text)')
  const settings = { table: 'half', tenant_column: 'account' }
  await watchTable(database, 'halves', settings)
  await one.query("insert into half values (1, 'other')")
  await watchTable(database, 'halves', { ...settings, tenant: 'acme' })
  await one.query('begin')
  await one.query("insert into half values (100, 'acme')")
  await database.query("insert into half select i, 'acme' from generate_series(2, 11) i")
  await one.query("insert into half values (101, 'acme')")
  // What another one holds of the batch keeps it waiting between the look and the starts.
  await database.query("alter function millrace.deliver_changes set lock_timeout = '10s'")
  const holder = await connect(database)
  await holder.query('begin')
  await holder.query("select from millrace.change where tenant = 'other' for update")
  const delivering = other.query('select done from millrace.deliver_changes(5)')
  await untilBlocked(database)
  await one.query('commit')
  await holder.query('commit')
  await delivering
  const told = async () => (await toldRuns(database, 'halves')).map(({ input }) => input.key?.['id'])
  const first = await told()
  expect(first.filter((id) => id === 100 || id === 101)).toEqual([])
  await database.query('select millrace.deliver_changes(5)')
  expect((await told()).slice(first.length)).toEqual(expect.arrayContaining([100, 101]))
  await database.query("alter function millrace.deliver_changes set lock_timeout = '500ms'")
  await holder.end()
})

test('changes of a key within the time are one run, with the first old and the last new', async () => {
  await database.query('create table busy (id int primary key, n int, m int, body text)')
  await watchTable(database, 'busy-ones', { table: 'busy', coalesce_ms: 5_000 })
  await one.query('insert into busy select i, 0, 0, repeat(md5(i::text), 200) from generate_series(1, 3) i')
  expect(await toldOf(database, 'busy-ones')).toEqual([])
  await one.query('update busy set n = 1 where id = 1')
  await one.query('delete from busy where id = 3')
  await database.clock.advance('5 seconds')
  expect(await toldOf(database, 'busy-ones')).toMatchObject([
    { operation: 'insert', key: { id: 2 }, changes: 1 },
    {
      operation: 'insert',
      key: { id: 1 },
      old: null,
      new: { n: 1, body: expect.any(String) as string },
      changes: 2,
    },
  ])
  await one.query('update busy set n = 2 where id = 1')
  await one.query("update busy set body = repeat(md5('x'), 200) where id = 1")
  await one.query('update busy set n = 3, m = 1 where id = 1')
  await one.query('delete from busy where id = 2')
  await one.query("insert into busy values (2, 7, 7, 'new')")
  await database.clock.advance('5 seconds')
  const told = await toldOf(database, 'busy-ones')
  expect(told).toMatchObject([
    { operation: 'update', key: { id: 1 }, old: { n: 1, m: 0 }, new: { n: 3, m: 1 }, changes: 3 },
    { operation: 'update', key: { id: 2 }, old: { n: 0 }, new: { n: 7, body: 'new' }, changes: 2 },
  ])
  expect(String(told[0]?.old?.['body']).slice(0, 4)).not.toBe(String(told[0]?.new?.['body']).slice(0, 4))
  expect(await listWatches(callerOf(database), 'busy-ones')).toMatchObject([
    { changes_dropped: '2', waiting: 0, problems: [] },
  ])
})

test('where it is asked for, the run of a key begins only when the one before has ended', async () => {
  await database.query('create table turn (id int primary key, n int)')
  await watchTable(database, 'turns', { table: 'turn', by_key: true })
  await one.query('insert into turn values (1, 0), (2, 0)')
  await one.query('update turn set n = 1 where id = 1')
  expect(words(await toldOf(database, 'turns'))).toEqual([
    ['insert', 1, 0],
    ['insert', 2, 0],
  ])
  expect(await toldOf(database, 'turns')).toEqual([])
  for (const { id } of await toldRuns(database, 'turns'))
    await database.query('select millrace.cancel_run($1)', [id])
  expect((await toldOf(database, 'turns')).map(({ operation }) => operation)).toEqual(['update'])
})

test.each([
  ['behind', -600_000],
  ['ahead', 600_000],
])(
  'the run of a key begins only when the one before has ended, also where that went on under an id of a clock that is %s',
  async (side, ms) => {
    const name = `turns-${side}`
    await database.query(`create table turn_${side} (id int primary key, n int)`)
    await watchTable(database, name, { table: `turn_${side}`, by_key: true })
    await one.query(`insert into turn_${side} values (1, 0)`)
    for (const n of [1, 2]) await one.query(`update turn_${side} set n = ${n}`)
    expect(words(await toldOf(database, name))).toEqual([['insert', 1, 0]])
    const next = newId((await database.clock.now()).getTime() + ms)
    await continueAs(name, next)
    expect(await toldOf(database, name)).toEqual([])
    await cancelRun(database, next)
    expect(words(await toldOf(database, name))).toEqual([['update', 1, 1]])
    expect(await toldOf(database, name)).toEqual([])
    for (const { id } of await toldRuns(database, name)) await cancelRun(database, id)
    expect(words(await toldOf(database, name))).toEqual([['update', 1, 2]])
    const kept = `select r.input #>> '{new,n}' as n from millrace.change_run c join millrace.run r on r.id = c.run_id
      where c.ordered_key is not null and r.slug = $1`
    expect(await database.query(kept, [name])).toEqual([{ n: '2' }])
  },
)

/** Goes on with the one run of a pipeline under this id, as its worker does. */
async function continueAs(slug: string, next: string): Promise<void> {
  const worker = await workerFor(database, slug)
  const { task_id, step_id, attempt } = await claimOne(database, worker)
  await database.query('select millrace.continue_run($1, $2, $3, $4, $5, $6, null)', [
    worker.id,
    worker.lockKey,
    task_id,
    step_id,
    attempt,
    next,
  ])
}

test('a change whose start is refused is not lost: it stays with the reason, keeps its order, and holds up no other key', async () => {
  await database.query('create table refused (id int primary key, n int)')
  await registerPipeline(database, 'refused-ones', chain('only'), [['id']])
  await watchTable(database, 'refusing', {
    table: 'refused',
    pipeline: 'refused-ones',
    map: { id: ['key', 'id'], n: ['new', 'n'] },
  })
  await one.query('insert into refused values (1, 0), (2, 0)')
  await one.query('update refused set n = 1')
  expect(await toldOf(database, 'refused-ones')).toEqual([
    { id: 1, n: 0 },
    { id: 2, n: 0 },
  ])
  const [live] = await toldRuns(database, 'refused-ones')
  expect(await listWatches(callerOf(database), 'refusing')).toMatchObject([
    { waiting: 2, held: 2, held_reason: expect.stringContaining('live') as string },
  ])
  await database.query('select millrace.cancel_run($1)', [live?.id])
  await database.clock.advance('2 seconds')
  expect(await toldOf(database, 'refused-ones')).toEqual([{ id: 1, n: 1 }])
  await database.query("select millrace.pause_pipeline('refused-ones')")
  await one.query('insert into refused values (3, 0)')
  expect(await toldOf(database, 'refused-ones')).toEqual([])
  await database.query("select millrace.resume_pipeline('refused-ones')")
  await database.clock.advance('10 seconds')
  expect(await toldOf(database, 'refused-ones')).toContainEqual({ id: 3, n: 0 })
})

test('a change whose start waits for what an open transaction holds keeps its order, and holds up no other key', async () => {
  await database.query('create table held_up (id int primary key, n int)')
  await registerPipeline(database, 'held-up-ones', chain('only'), [['id']])
  await watchTable(database, 'held-up', {
    table: 'held_up',
    pipeline: 'held-up-ones',
    map: { id: ['key', 'id'], n: ['new', 'n'] },
  })
  await other.query('begin')
  await startRun(other, 'held-up-ones', { id: 1 })
  await one.query('insert into held_up values (1, 0), (2, 0)')
  await one.query('update held_up set n = 1 where id = 1')
  expect(await toldOf(database, 'held-up-ones')).toEqual([{ id: 2, n: 0 }])
  expect(await listWatches(callerOf(database), 'held-up')).toMatchObject([
    { waiting: 2, held: 1, held_reason: 'an open transaction holds what its start needs' },
  ])
  await other.query('rollback')
  await database.clock.advance('1 second')
  expect(await toldOf(database, 'held-up-ones')).toEqual([{ id: 1, n: 0 }])
})

test('where changes are gathered, one whose start was refused is tried again as well', async () => {
  await database.query('create table gathered_refused (id int primary key, n int)')
  await registerPipeline(database, 'gathered-refused-ones', chain('only'), [['id']])
  await watchTable(database, 'gathered-refused', {
    table: 'gathered_refused',
    pipeline: 'gathered-refused-ones',
    map: { id: ['key', 'id'], n: ['new', 'n'] },
    coalesce_ms: 1_000,
  })
  const live = await startRun(database, 'gathered-refused-ones', { id: 1 })
  await one.query('insert into gathered_refused values (1, 0)')
  await database.clock.advance('1 second')
  expect(await toldOf(database, 'gathered-refused-ones')).toEqual([])
  await database.query('select millrace.cancel_run($1)', [live.run_id])
  await database.clock.advance('2 seconds')
  expect(await toldOf(database, 'gathered-refused-ones')).toEqual([{ id: 1, n: 0 }])
})

test('G5 a write by the run of a change starts other pipelines, and only a real cycle is cut, counted and told', async () => {
  await database.query('create table cause (id int primary key, n int)')
  await database.query('create table effect (id int primary key, n int)')
  await watchTable(database, 'causes', { table: 'cause' })
  await watchTable(database, 'effects', { table: 'effect' })
  await one.query('insert into cause values (1, 0)')
  await tellAll(database)
  const [first] = await toldRuns(database, 'causes')
  const asStepOf = async (run: string | undefined, text: string) => {
    await one.query('begin')
    await one.query("select set_config('millrace.origin', $1, true)", [run])
    await one.query(text)
    await one.query('commit')
  }
  await asStepOf(first?.id, 'insert into effect values (1, 1)')
  await asStepOf(first?.id, 'insert into cause values (2, 0)')
  expect(await toldOf(database, 'effects')).toMatchObject([{ operation: 'insert' }])
  expect(words((await toldRuns(database, 'causes')).map(({ input }) => input))).toContainEqual([
    'insert',
    2,
    0,
  ])
  const [second] = await toldRuns(database, 'effects')
  await asStepOf(second?.id, 'update cause set n = 1 where id = 1')
  expect(await toldOf(database, 'causes')).toEqual([])
  expect(await listWatches(callerOf(database), 'causes')).toMatchObject([
    { loops_cut: '1', waiting: 0, last_cut: { run: second?.id, key: { id: 1 } } },
  ])
  expect(
    await database.query("select kind from millrace.event where run_id = $1 and kind = 'change.loop_cut'", [
      second?.id,
    ]),
  ).toHaveLength(1)
})

test('G5 a line of changes beyond sixteen is cut, and an origin that is none is no harm', async () => {
  await one.query('begin')
  await one.query("set local millrace.origin = 'nonsense; drop table x'")
  await one.query('insert into cause values (100, 0)')
  await one.query('commit')
  await one.query('begin')
  await one.query("select set_config('millrace.origin', $1, true)", [randomUUID()])
  await one.query('insert into cause values (101, 0)')
  await one.query('commit')
  expect(await toldOf(database, 'causes')).toHaveLength(2)
  for (let depth = 0; depth < 20; depth++) {
    const [last] = (await toldRuns(database, 'causes')).slice(-1)
    await one.query('begin')
    await one.query("select set_config('millrace.origin', $1, true)", [last?.id])
    await one.query('insert into cause values ($1, 0)', [200 + depth])
    await one.query('commit')
    await tellAll(database)
  }
  const [{ depth } = { depth: 0 }] = await database.query<{ depth: number }>(
    'select max(depth) as depth from millrace.change_run',
  )
  expect(depth).toBe(15)
})

test('G5 a line of changes is walked once for each run that is asked for, and for none while changes are gathered', async () => {
  await database.query('create table written (id int primary key, n int)')
  await watchTable(database, 'written-ones', { table: 'written', coalesce_ms: 1_000 })
  await one.query('begin')
  await one.query("select set_config('millrace.origin', $1, true)", [randomUUID()])
  await one.query('insert into written select i, 0 from generate_series(1, 100) i')
  await one.query('commit')
  expect(await walksOf('select millrace.deliver_changes(5)')).toBe(0)
  await database.clock.advance('1 second')
  expect(await walksOf('select millrace.deliver_changes(5)')).toBe(5)
})

/** How often a statement looks back through the changes that led to a run. */
async function walksOf(statement: string): Promise<number> {
  await one.query('begin')
  await one.query("set local track_functions = 'all'")
  await one.query(statement)
  const [counted] = await one.query<{ calls: number }>(
    "select calls::int from pg_stat_xact_user_functions where funcname = 'find_loop'",
  )
  await one.query('commit')
  return counted?.calls ?? 0
}

test('G5 of gathered changes only those that close a loop are cut, and the others of their key are told', async () => {
  await database.query('create table mixed (id int primary key, n int)')
  await watchTable(database, 'mixed-ones', { table: 'mixed', coalesce_ms: 1_000 })
  await one.query('insert into mixed values (1, 0), (2, 0)')
  await database.clock.advance('1 second')
  await tellAll(database)
  const runs = await toldRuns(database, 'mixed-ones')
  const [made] = runs.filter(({ input }) => input.key?.['id'] === 1)
  await one.query('update mixed set n = 1')
  await one.query('begin')
  await one.query("select set_config('millrace.origin', $1, true)", [made?.id])
  await one.query('update mixed set n = 2')
  await one.query('commit')
  await one.query('update mixed set n = 3 where id = 1')
  await database.clock.advance('1 second')
  const told = (await toldOf(database, 'mixed-ones')).map((input) => [...words([input])[0]!, input.changes])
  expect(told).toEqual([
    ['update', 2, 2, 2],
    ['update', 1, 3, 2],
  ])
  expect(await listWatches(callerOf(database), 'mixed-ones')).toMatchObject([{ loops_cut: '1', waiting: 0 }])
})

test('what was refused for its own sake holds up none but its key, and the others of its batch begin', async () => {
  await database.query('create table odd (id int primary key, n int)')
  await watchTable(database, 'odd-ones', { table: 'odd' })
  await database.query(
    "alter table millrace.run add constraint odd check (slug <> 'odd-ones' or input #>> '{key,id}' <> '2') not valid",
  )
  await one.query('insert into odd values (1, 1), (2, 2), (3, 3)')
  expect(words(await toldOf(database, 'odd-ones'))).toEqual([
    ['insert', 1, 1],
    ['insert', 3, 3],
  ])
  await database.query('alter table millrace.run drop constraint odd')
  await database.clock.advance('1 minute')
  expect(words(await toldOf(database, 'odd-ones'))).toEqual([['insert', 2, 2]])
})

test('a watch of which a batch can not be told is set aside with the reason, and holds up no other one', async () => {
  await database.query('create table spoilt (id int primary key, n int)')
  await database.query('create table sound (id int primary key, n int)')
  await watchTable(database, 'spoilt-ones', { table: 'spoilt', coalesce_ms: 1_000 })
  await watchTable(database, 'sound-ones', { table: 'sound' })
  await database.query(
    `create function public.spoil() returns trigger language plpgsql as
       'begin if old.watch_id = (select id from millrace.change_watch where name = ''spoilt-ones'') then raise exception ''it is spoilt''; end if; return old; end'`,
  )
  await database.query(
    'create trigger spoil before delete on millrace.change for each row execute function public.spoil()',
  )
  await one.query('insert into spoilt values (1, 0)')
  await one.query('delete from spoilt')
  await database.clock.advance('1 second')
  await one.query('insert into sound values (1, 0)')
  expect(await toldOf(database, 'sound-ones')).toHaveLength(1)
  expect(await listWatches(callerOf(database), 'spoilt-ones')).toMatchObject([
    { waiting: 2, held: 1, held_reason: 'it is spoilt' },
  ])
  await database.query('drop function public.spoil cascade')
  await tellAll(database)
  expect(await listWatches(callerOf(database), 'spoilt-ones')).toMatchObject([{ waiting: 2 }])
  await database.clock.advance('31 seconds')
  await tellAll(database)
  expect(await listWatches(callerOf(database), 'spoilt-ones')).toMatchObject([
    { waiting: 0, changes_dropped: '2' },
  ])
})

test('while a watch is paused its changes are recorded, and start their runs afterwards', async () => {
  await database.query("select millrace.pause_watch('odd-ones')")
  await one.query('insert into odd values (10, 1)')
  expect(await toldOf(database, 'odd-ones')).toEqual([])
  await database.query("select millrace.pause_watch('odd-ones', false)")
  expect(words(await toldOf(database, 'odd-ones'))).toEqual([['insert', 10, 1]])
})

const replays = [
  { name: 'single-replay', parted: false, settings: {} },
  { name: 'gathered-replay', parted: false, settings: { coalesce_ms: 1_000 } },
  { name: 'row-replay', parted: false, settings: { when: { update: 'true' } } },
  { name: 'parted-replay', parted: true, settings: {} },
  { name: 'parted-gathered-replay', parted: true, settings: { coalesce_ms: 1_000 } },
]

test.each(replays)(
  'FO-1 G1 G2 G3 what is told, in its order, makes the content of the table: random transactions of several connections, with rollbacks ($name)',
  async ({ name, parted, settings }) => {
    const draw = seededDraws(name)
    const below = (n: number) => Math.floor(draw() * n)
    const table = await replayTable(name, parted)
    await watchTable(database, name, {
      table,
      key: ['id'],
      operations: ['insert', 'update', 'delete', 'truncate'],
      ...settings,
    })
    const connections = await Promise.all([1, 2, 3, 4].map(() => connect(database)))
    const replayed = new Map<number, Record<string, unknown>>()
    const seen = new Set<string>()
    const replay = async () => {
      await tellAll(database, 1 + below(20))
      for (const { id, input } of await toldRuns(database, name)) {
        if (seen.has(id)) continue
        seen.add(id)
        const key = Number(input.key?.['id'])
        if (input.operation === 'truncate') replayed.clear()
        else if (input.operation === 'delete') replayed.delete(key)
        else if (input.new !== null) replayed.set(key, { ...replayed.get(key), ...input.new })
      }
    }
    const readings = (async () => {
      for (let turn = 0; turn < 15; turn++) {
        await replay()
        if (turn % 4 === 3) await database.clock.advance('1 second')
      }
    })()
    const writing = connections.map((connection) => writeAtRandom(connection, table, parted, below))
    await Promise.all([...writing, readings])
    await database.clock.advance('1 minute')
    await replay()
    await Promise.all(connections.map((connection) => connection.end()))
    expect(await listWatches(callerOf(database), name)).toMatchObject([{ waiting: 0 }])
    expect(seen.size).toBeGreaterThan(20)
    const rows = await database.query<{ id: number }>(`select * from ${table}`)
    expect(replayed).toEqual(new Map(rows.map((row) => [row.id, row])))
  },
)

async function replayTable(name: string, parted: boolean): Promise<string> {
  const table = name.replaceAll('-', '_')
  await database.query(
    `create table ${table} (id int, part int, n int, s text, primary key (${parted ? 'id, part' : 'id'})) ${parted ? 'partition by list (part)' : ''}`,
  )
  for (const part of parted ? [0, 1] : [])
    await database.query(`create table ${table}_${part} partition of ${table} for values in (${part})`)
  return table
}

/** Thirty transactions, each with rollbacks within and as a whole. Over partitions nothing but a lock keeps ids unique. */
async function writeAtRandom(
  connection: Connection,
  table: string,
  parted: boolean,
  below: (n: number) => number,
): Promise<void> {
  for (let round = 0; round < 30; round++) {
    await connection.query('begin')
    try {
      await connection.query('select pg_current_xact_id()')
      if (parted) await connection.query('select pg_advisory_xact_lock(7)')
      for (let statements = 1 + below(4); statements > 0; statements--) {
        await connection.query('savepoint s')
        await connection.query(randomStatement(table, below)).catch(() => connection.query('rollback to s'))
        if (below(6) === 0) await connection.query('rollback to s')
      }
      await connection.query(below(4) === 0 ? 'rollback' : 'commit')
    } catch {
      await connection.query('rollback')
    }
  }
}

function randomStatement(table: string, below: (n: number) => number): string {
  const id = below(12)
  const without = (value: string) => `not exists (select from ${table} t where t.id = ${value})`
  const choices = [
    `insert into ${table} select ${id}, 0, ${below(100)}, 'a' where ${without(String(id))}`,
    `insert into ${table} select i, 1, i, 'b' from generate_series(${id}, ${id + 3}) i where ${without('i')}`,
    `update ${table} set n = n + 1 where id = ${id}`,
    `update ${table} set n = n + 1, s = s || 'c' where id % 3 = ${id % 3}`,
    `update ${table} set part = 1 - part where id = ${id}`,
    `delete from ${table} where id = ${id}`,
    `update ${table} set id = ${id + 20} where id = ${id} and ${without(String(id + 20))}`,
    ...(below(15) === 0 ? [`truncate ${table}`] : []),
  ]
  return choices[below(choices.length)] ?? ''
}

test('G9 a tenant gets only rows of its own: those that come from another are inserts to it, those that leave are deletes', async () => {
  await database.query('create table deal (id int primary key, account text, cents int)')
  await expect(watchTable(database, 'no-column', { table: 'deal', tenant: 'acme' })).rejects.toMatchObject({
    code: 'watch_invalid',
  })
  await watchTable(database, 'acme-deals', { table: 'deal', tenant: 'acme', tenant_column: 'account' })
  await watchTable(database, 'all-deals', { table: 'deal', tenant_column: 'account' })
  await one.query("insert into deal values (1, 'acme', 1), (2, 'other', 2)")
  await one.query('update deal set cents = 5')
  await one.query("update deal set account = case account when 'acme' then 'other' else 'acme' end")
  await one.query('delete from deal')
  const own = await toldOf(database, 'acme-deals')
  expect(
    own.map(({ operation, old, new: now }) => [
      operation,
      old?.['cents'],
      now?.['cents'],
      old?.['account'],
      now?.['account'],
    ]),
  ).toEqual([
    ['insert', undefined, 1, undefined, 'acme'],
    ['update', 1, 5, 'acme', 'acme'],
    ['delete', 5, undefined, 'acme', undefined],
    ['insert', undefined, 5, undefined, 'acme'],
    ['delete', 5, undefined, 'acme', undefined],
  ])
  expect((await toldRuns(database, 'acme-deals')).every(({ tenant }) => tenant === 'acme')).toBe(true)
  const all = await toldRuns(database, 'all-deals')
  expect(all.map(({ tenant }) => tenant).sort()).toEqual([
    ...Array<string>(5).fill('acme'),
    ...Array<string>(5).fill('other'),
  ])
  expect(all.every(({ tenant, input }) => (input.new ?? input.old)?.['account'] === tenant)).toBe(true)
})

test.each([
  ['statement', {}],
  ['row', { when: { update: 'true' } }],
] as const)(
  'G7 a table that was altered is drift that is said, what was recorded before is told, and applying repairs it (recorded by %s)',
  async (level, settings) => {
    const name = `altered-by-${level}`
    const table = `altered_by_${level}`
    const problems = async () => (await listWatches(callerOf(database), name))[0]?.problems
    await database.query(`create table ${table} (id int primary key, title text, n int)`)
    await watchTable(database, name, { table, ...settings })
    await one.query(`insert into ${table} values (1, 'a', 1)`)
    await database.query(`alter table ${table} add column extra text`)
    await one.query(`update ${table} set extra = 'x', n = 2 where id = 1`)
    await database.query(`alter table ${table} alter column n type text`)
    // A session that wrote the table before has the old type in the plans of a row trigger: it is refused until that is repaired.
    if (level === 'row')
      await expect(one.query(`update ${table} set n = 'many' where id = 1`)).rejects.toThrow(
        'type of parameter',
      )
    const fresh = await connect(database)
    await fresh.query(`update ${table} set n = 'many' where id = 1`)
    expect(await problems()).toEqual(['column extra was added, column n is text now'])
    await database.query(`alter table ${table} rename column title to name`)
    await expect(fresh.query(`update ${table} set n = 'none' where id = 1`)).rejects.toThrow('title')
    await fresh.end()
    expect(await toldOf(database, name)).toMatchObject([
      { operation: 'insert', new: { title: 'a', n: 1 } },
      { operation: 'update', new: { n: 2 } },
      { operation: 'update', new: { n: 'many' } },
    ])
    expect((await problems())?.[0]).toContain('column title was dropped or renamed')
    await applyWatches(database, name)
    expect(await problems()).toEqual([])
    await one.query(`update ${table} set n = 'none' where id = 1`)
    expect(await toldOf(database, name)).toMatchObject([{ new: { name: 'a', n: 'none', extra: 'x' } }])
  },
)

test('G4 a trigger that is disabled or gone is found, on any partition', async () => {
  const problems = async () => (await listWatches(callerOf(database), 'parted-ones'))[0]?.problems
  await database.query('create table parted (id int primary key) partition by range (id)')
  await database.query('create table parted_low partition of parted for values from (0) to (10)')
  await watchTable(database, 'parted-ones', { table: 'parted', operations: ['insert', 'truncate'] })
  await database.query('create table parted_high partition of parted for values from (10) to (20)')
  expect(await problems()).toEqual([
    expect.stringMatching(/^trigger millrace_\d+_truncate is missing on public\.parted_high$/),
  ])
  await applyWatches(database, 'parted-ones')
  expect(await problems()).toEqual([])
  await database.query('alter table parted_low disable trigger all')
  expect(await problems()).toEqual([
    expect.stringMatching(/_delete is disabled on public\.parted_low$/),
    expect.stringMatching(/_insert is disabled on public\.parted_low$/),
    expect.stringMatching(/_truncate is disabled on public\.parted_low$/),
  ])
  await applyWatches(database, 'parted-ones')
  expect(await problems()).toEqual([])
})

test('what is left installed of a watch that went with its tenant goes when watches are applied', async () => {
  await database.query('create table leaving (id int primary key, account text)')
  await watchTable(database, 'leaving-ones', { table: 'leaving', tenant: 'gone', tenant_column: 'account' })
  await one.query("insert into leaving values (1, 'gone')")
  await database.query("select * from millrace.erase_tenant('gone')")
  expect(await listWatches(callerOf(database), 'leaving-ones')).toEqual([])
  await one.query("insert into leaving values (2, 'gone')")
  await database.query('select millrace.prune_untold(1000, millrace.now())')
  expect(await database.query("select * from millrace.change where tenant = 'gone'")).toEqual([])
  await applyWatches(database)
  expect(await database.query("select tgname from pg_trigger where tgrelid = 'leaving'::regclass")).toEqual(
    [],
  )
})
