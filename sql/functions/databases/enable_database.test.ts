// A copy of a database: nothing runs in it, and what came along is void, until somebody enables it.
import { beforeEach, expect, test } from 'vitest'
import { openFolder } from '../../../test/commands.ts'
import { openMillrace } from '../../../test/millrace.ts'
import {
  attemptsOf,
  chain,
  claim,
  claimOne,
  complete,
  connect,
  heartbeat,
  registerPipeline,
  registerWorker,
  startRun,
  startStep,
} from '../../../test/protocol.ts'

const { database } = await openMillrace()

/** What is there after a restore: this database under the name of another one. */
const becomeCopy = () =>
  database.query(
    `with leases as (update millrace.worker set database = '42/5' where state <> 'gone')
     update millrace.setting set value = '"42/5"' where name = 'home'`,
  )
const enable = () => database.query('select enabled, workers, tasks from millrace.enable_database()')

beforeEach(async () => {
  await database.query(
    "update millrace.setting set value = to_jsonb(millrace.this_database()) where name = 'home'",
  )
})

test('B13 a lease that came with a copy is void: its worker claims, writes and prolongs nothing, and is told that it is gone', async () => {
  await registerPipeline(database, 'held', chain('only'))
  const worker = await registerWorker(database)
  const held = await startRun(database, 'held')
  const task = await claimOne(database, worker)
  const waits = await startRun(database, 'held')
  await becomeCopy()
  expect(await claim(database, worker, 10)).toEqual([])
  expect(await heartbeat(database, worker, [], { sweep: true, room: 1 })).toMatchObject([{ kind: 'gone' }])
  expect(await complete(database, worker, [{ task }])).toMatchObject([{ kind: 'lost' }])
  expect(await attemptsOf(database, held.run_id)).toEqual([])

  expect(await enable()).toEqual([{ enabled: true, workers: 1, tasks: 1 }])
  expect(await attemptsOf(database, held.run_id)).toMatchObject([{ outcome: 'reclaimed' }])
  expect(await claim(database, worker, 10)).toEqual([])
  const heir = await registerWorker(database)
  const taken = await claim(database, heir, 10)
  expect(taken.map(({ run_id, attempt }) => [run_id, attempt]).sort()).toEqual(
    [
      [held.run_id, 2],
      [waits.run_id, 1],
    ].sort(),
  )
  await complete(
    database,
    heir,
    taken.map((next) => ({ task: next })),
  )
})

test('B13 whatever would run something in a copy is refused by its name, a start waits and says why, and enabling is on record, once', async () => {
  await registerPipeline(database, 'reported', chain('only'))
  const { run_id: reported } = await startRun(database, 'reported')
  const hold = await startStep(database, reported, 'only')
  await becomeCopy()
  for (const call of [
    `register_worker(gen_random_uuid(), 'w', 'h', 1, '0', 1, '{default}', '{}', 10)`,
    `start_step('${reported}', 'only')`,
    `fire_schedules('[]')`,
    'claim_callbacks(1)',
    'take_pings()',
    'take_verifications()',
    'settle_firings(1)',
    'work_events()',
    'deliver_changes()',
    'work_backfills()',
    'work_redrives()',
  ])
    await expect(database.query(`select millrace.${call}`), call).rejects.toMatchObject({ code: 'MR195' })
  await expect(
    database.query('select millrace.complete_step($1, $2, $3)', [reported, 'only', hold.attempt]),
  ).rejects.toMatchObject({ code: 'MR008' })
  const { run_id } = await startRun(database, 'reported')
  expect(await database.query('select reason, sentence from millrace.why($1)', [run_id])).toMatchObject([
    { reason: 'copied_database', sentence: expect.stringContaining('npx millrace database enable') },
  ])
  const folder = openFolder({ DATABASE_URL: database.url })
  const doctor = await folder.call('doctor')
  expect(doctor.status).toBe(1)
  expect(doctor.stdout).toMatch(/^FAIL {2}copy /m)
  expect((await folder.call('database', 'enable')).stdout).toMatch(
    /^1 task of \d workers? of the other database went back to the queue\.$/m,
  )
  const again = await folder.call('database', 'enable', '--json')
  folder.close()
  expect(JSON.parse(again.stdout)).toEqual({ enabled: false, workers: 0, tasks: 0 })
  expect(
    await database.query(
      `select detail ->> 'came_from' as from, (detail ->> 'tasks')::int as tasks, login = session_user as mine
         from millrace.audit_entry where action = 'database.enabled' order by id desc limit 1`,
    ),
  ).toEqual([{ from: '42/5', tasks: 1, mine: true }])
  expect(await startStep(database, run_id, 'only')).toMatchObject({ started: true })
})

test('a database has one name in all its sessions, another one than the next database, and half a name where the server does not tell its own', async () => {
  const [one, other] = [await connect(database), await connect({ url: withName(database.url, 'postgres') })]
  const ask =
    'select system_identifier || $1 || d.oid as name from pg_control_system(), pg_database d where d.datname = current_database()'
  const told = 'select millrace.this_database() as name'
  const [here] = await one.query<{ name: string }>(told)
  expect(await one.query(ask, ['/'])).toEqual([here])
  expect(await other.query(ask, ['/'])).not.toEqual([here])
  await other.end()
  await one.query('begin')
  await one.query('create role tells_nothing')
  await one.query('grant usage on schema millrace to tells_nothing')
  await one.query('grant execute on function millrace.this_database to tells_nothing')
  await one.query('revoke execute on function pg_control_system() from public')
  await one.query('set local role tells_nothing')
  await one.query('reset millrace.this_database')
  expect(await one.query(told)).toEqual([{ name: `unknown/${here!.name.split('/')[1]}` }])
  await one.query('rollback')
  await one.end()
})

function withName(url: string, name: string): string {
  const address = new URL(url)
  address.pathname = name
  return address.href
}
