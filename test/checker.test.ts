// The checker finds each offence that it was made for.
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
let run: string
let held: string
const nobody = '01890000-0000-7000-8000-000000000000'
beforeAll(async () => {
  database = await createTestDatabase()
  one = await connect(database)
  await registerPipeline(database, 'checked', chain('a', 'b'))
  run = (await startRun(database, 'checked')).run_id
  const worker = await registerWorker(database)
  held = (await claimOne(database, worker)).task_id
})
afterAll(async () => {
  await one.end()
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

const offences: [string, string, () => string][] = [
  ['I1', 'a live run without a task', () => `delete from millrace.task where id = ${held}`],
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

test.each(offences)('PP-D4 %s the checker finds %s', async (id, _, offence) => {
  await one.query('begin')
  await one.query(offence())
  const found = await findBrokenInvariants(one, [run])
  await one.query('rollback')
  expect(found.filter((line) => line.startsWith(`${id} `))).not.toEqual([])
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
