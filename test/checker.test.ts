// The checker finds each offence that it was made for.
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findBrokenInvariants } from './checker.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import {
  type Connection,
  chain,
  claimOne,
  connect,
  registerPipeline,
  registerWorker,
  startRun,
} from './protocol.ts'

let database: TestDatabase
let one: Connection
let resting: pg.Client
let run: string
let held: string
const nobody = '01890000-0000-7000-8000-000000000000'
const somebody = '01890000-0000-7000-8000-000000000001'
beforeAll(async () => {
  database = await createTestDatabase()
  one = await connect(database)
  resting = new pg.Client({ connectionString: database.url, application_name: 'millrace resting' })
  await resting.connect()
  await resting.query('begin')
  await registerPipeline(database, 'checked', chain('a', 'b'))
  run = (await startRun(database, 'checked')).run_id
  const worker = await registerWorker(database)
  held = (await claimOne(database, worker)).task_id
})
afterAll(async () => {
  await one.end()
  await resting.end()
  await database.close()
})

const attempt = (run_id: string, n: number, outcome = 'completed', begins = '1 hour') =>
  `insert into millrace.attempt (run_id, step, item, attempt, outcome, error, ready_at, started_at, finished_at)
   select '${run_id}', 'a', -1, ${n}, '${outcome}', case when '${outcome}' = 'failed' then '{}'::jsonb end, at, at + interval '${begins}', at + interval '${begins}'
     from millrace.now() at`

/** A schedule with one firing in this state, whose run is the live one. */
const firing = (state: 'started' | 'completed') =>
  `select millrace.define_schedule('checked', 'checked', '{"every_ms": 60000, "every_from": "2026-01-01T00:00:00Z"}');
   insert into millrace.firing (schedule_id, slot_at, overlap, kind, state, run_id, due_at, fired_at, fired_by, started_at, ended_at, closed_at)
   select id, now(), 'skip', 'scheduled', '${state}', '${run}', now(), now(), 'x', now(), ended.at, ended.at
     from millrace.schedule cross join (select case when '${state}' = 'completed' then now() end as at) ended`

const moreOfIt = `insert into millrace.firing (schedule_id, slot_at, overlap, kind, state, run_id, due_at, fired_at, fired_by, started_at)
   select schedule_id, slot_at + interval '1 minute', overlap, kind, state, run_id, due_at, fired_at, fired_by, started_at from millrace.firing`

const limit = `select millrace.define_limit('checked', '{"kind": "concurrency", "capacity": 1, "key": []}', '[{"slug": "checked"}]');
   insert into millrace.limit_state (id, rule_id, key, used, changed_at) select millrace.limit_state_id(id, ''), id, '', 2, now() from millrace.limit_rule on conflict do nothing`

/** A step that is parked, of no step that the pipeline has. */
const parked = (available = 'null') =>
  `insert into millrace.waiting_task (handler, priority, run_id, step_id, reason, available_at) values (1, 5, '${run}', 77, 'waiting', ${available})`

const wait = (step: string, due = 'null') =>
  `insert into millrace.wait (run_id, step_id, name, place, attempt, kind, signal_names, signal_take, due_at, created_at)
   values ('${run}', ${step}, 'x', 0, 1, 'signal', '{x}', 'next', ${due}, now())`

const checkpoint = (names = 'null', values = 'null') =>
  `insert into millrace.checkpoint (run_id, step, name, place, kind, attempt, value, created_at, more_names, more_values)
   values ('${run}', 'a', 'x', 0, 'signal', 1, '1', now(), ${names}, ${values})`

const cancelledEvent = () =>
  `insert into millrace.event (run_id, at, actor, kind) values ('${run}', now(), 'x', 'run.cancelled')`

const ofKey = (id: string) =>
  `insert into millrace.run (id, slug, version, key, started_via, started_by, created_at) values ('${id}', 'checked', 1, 'k', 'sql', 'x', now())`

/** As if it had been so for long: the statistics of the server are looked for behind a table of this session's. */
const longAgo = `
  create temporary view pg_stat_activity as
    select pid, datname, application_name, state, state_change - interval '6 seconds' as state_change from pg_catalog.pg_stat_activity;
  set local search_path = pg_temp, pg_catalog, public`

/** With how what is found of it begins, where one claim has several. */
const offences: [id: string, what: string, offence: () => string, found?: string][] = [
  ['I1', 'a live run without a task', () => `delete from millrace.task where id = ${held}`],
  [
    'I2',
    'a run that was cancelled twice',
    () => `${cancelledEvent()}; ${cancelledEvent()}`,
    'cancelled twice',
  ],
  ['I2', 'a run that was cancelled and goes on', cancelledEvent, 'running, and cancelled'],
  [
    'I2',
    'a run that completed without its steps',
    () => `update millrace.run set state = 'completed', finished_at = now() where id = '${run}'`,
    'completed without b',
  ],
  ['I3', 'a step with two results', () => `${attempt(run, 1)}; ${attempt(run, 2, 'skipped')}`],
  ['I4', 'a gap between attempts', () => attempt(run, 3, 'failed')],
  [
    'I4',
    'an attempt that began before the one before it ended',
    () => `${attempt(run, 1, 'failed')}; ${attempt(run, 2, 'failed', '1 minute')}`,
  ],
  [
    'I4',
    'a token that does not count the attempts',
    () => `update millrace.task set attempt = 7 where id = ${held}`,
  ],
  [
    'I5',
    'a task held by a worker that is gone',
    () => "update millrace.worker set state = 'gone', gone_at = now()",
  ],
  [
    'I5',
    'a task held beyond its lease',
    () =>
      "update millrace.worker set heartbeat_at = heartbeat_at - interval '1 day', lease_expires_at = heartbeat_at - interval '1 day'",
  ],
  ['I6', 'more failures than attempts', () => [1, 2, 3, 4].map((n) => attempt(run, n, 'failed')).join(';')],
  [
    'I6',
    'a failed run without its dead letter',
    () => `update millrace.run set state = 'failed', error = '{}', finished_at = now() where id = '${run}'`,
  ],
  [
    'I6',
    'a dead letter of a run that did not fail',
    () => `insert into millrace.dead_letter values ('${run}', 'a', -1, 'checked', null, '{}', now())`,
  ],
  ['I7', 'a firing that was closed while its run is live', () => firing('completed')],
  ['I7', 'two firings of one run', () => `${firing('started')}; ${moreOfIt}`],
  [
    'I8',
    'more tasks under way than a limit has room for',
    () => `${limit};
      update millrace.task t set holds = array[s.id, s.id], claimed_at = clock_timestamp() from millrace.limit_state s where t.id = ${held}`,
  ],
  ['I8', 'two live runs of a run key', () => `${ofKey(nobody)}; ${ofKey(somebody)}`, 'checked k'],
  ['I8', 'a live run that does not hold its run key', () => ofKey(nobody), 'unheld'],
  ['I9', 'a step that is parked for nothing', () => parked(), 'parked for nothing'],
  [
    'I9',
    'a parked step with another time than its waits have',
    () => `${parked("now() + interval '1 hour'")}; ${wait('77', 'now()')}`,
    'late',
  ],
  ['I9', 'a wait of no step', () => wait('77'), 'wait of nobody'],
  [
    'I9',
    'a wait for what has come',
    () => `${wait(`(select step_id from millrace.task where id = ${held})`)}; ${checkpoint()}`,
    'waited for, and stored',
  ],
  ['I9', 'a result that is stored twice', () => checkpoint("'{x}'", "'{1}'"), 'stored twice'],
  [
    'I9',
    'a run that waits, with a task',
    () => `update millrace.run set state = 'waiting' where id = '${run}'`,
    'waiting run with work',
  ],
  [
    'I9',
    'an open approval that no step waits for',
    () =>
      `insert into millrace.approval (id, run_id, step, name, created_at) values ('${nobody}', '${run}', 'a', 'x', now())`,
    'open approval of nobody',
  ],
  [
    'I9',
    'the name of a signal that no wait is for',
    () => `insert into millrace.wait_signal values (77, 'x', 'next', '${run}')`,
    'signal wait of nobody',
  ],
  ['I10', 'a connection that rests in a transaction', () => longAgo, 'millrace resting'],
  ['I11', 'an attempt without its run', () => attempt(nobody, 1)],
  [
    'I11',
    'an event without its run',
    () =>
      `insert into millrace.event (run_id, at, actor, kind) values ('${nobody}', now(), 'x', 'run.cancelled')`,
  ],
  [
    'I11',
    'a checkpoint without its run',
    () =>
      `insert into millrace.checkpoint (run_id, step, name, place, kind, attempt, value, created_at) values ('${nobody}', 'a', 'x', 0, 'run', 1, '1', now())`,
  ],
  [
    'I11',
    'an artifact without its run',
    () =>
      `insert into millrace.artifact values ('${nobody}', 'x', '${nobody}', 'a', -1, 1, 'text/plain', 0, sha256(''), 'postgres', 'x', now())`,
  ],
  [
    'I11',
    'a key of a run that has ended',
    () => `insert into millrace.live_key values ('checked', null, 'k', '${nobody}')`,
  ],
  ['I11', 'a task without its run', () => `update millrace.task set run_id = '${nobody}' where id = ${held}`],
  [
    'I11',
    'a run of no version, written past the table',
    () => `select set_config('millrace.versions', 'found', true);
      insert into millrace.run (id, slug, version, started_via, started_by, created_at)
      select millrace.uuid_v7(at), 'checked', 9, 'sql', 'x', at from millrace.now() at`,
  ],
  ['I11', 'a join of no run', () => `insert into millrace.join_state values ('${nobody}', 1, 1)`],
]

test('PP-D4 the checker finds nothing where nothing is broken', async () => {
  expect(await findBrokenInvariants(database, [run])).toEqual([])
  expect(await findBrokenInvariants(database, [run, nobody])).toEqual([
    expect.stringMatching(/^I1 .*lost: 0189/),
  ])
})

test.each(offences)('PP-D4 %s the checker finds %s', async (id, _, offence, begins = '') => {
  await one.query('begin')
  await one.query(offence())
  const found = await findBrokenInvariants(one, [run])
  await one.query('rollback')
  expect(found).toContainEqual(expect.stringMatching(`^${id} [^:]*: ${begins}`))
})

test('PP-D4 a run of a pipeline or version that does not exist is refused by the table, and so is taking a version away', async () => {
  const insert = (slug: string, version: number) =>
    database.query(
      `insert into millrace.run (id, slug, version, started_via, started_by, created_at) values (gen_random_uuid(), $1, $2, 'sql', 'x', now())`,
      [slug, version],
    )
  const refused = { code: '23503' }
  await expect(insert('nobody', 1)).rejects.toMatchObject(refused)
  await expect(insert('checked', 9)).rejects.toMatchObject(refused)
  await expect(
    database.query('update millrace.run set version = 9 where id = $1', [run]),
  ).rejects.toMatchObject(refused)
  // One that no run names yet as well: a start may just have looked it up.
  await registerPipeline(database, 'unstarted', chain('only'))
  for (const taking of [
    "delete from millrace.pipeline_version where slug = 'unstarted'",
    "update millrace.pipeline_version set version = 2 where slug = 'unstarted'",
    'truncate millrace.pipeline_version cascade',
  ])
    await expect(database.query(taking)).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('Versions of pipelines are kept') as string,
    })
})
