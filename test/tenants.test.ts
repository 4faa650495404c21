// Application users under row security: each sees the runs and approvals of its own tenant, and nothing tells it of any other.
import pg from 'pg'
import { expect, test } from 'vitest'
import { asks, openApplicationUsers } from './application-users.ts'
import { createLogin } from './login.ts'
import { openMillrace } from './millrace.ts'

const { database, opened } = await openMillrace()
const users = openApplicationUsers(database, opened)
const ids = (rows: ReadonlyArray<{ id?: unknown }>) => rows.map(({ id }) => id).sort()
const own = () => [users.runs['acme'], users.runs['acme roles'], users.runs['acme anybody']].sort()

test('PP-S3 K2 an application user sees the runs and approvals of its tenant: by a verified token, and by its role', async () => {
  expect(ids(await users.request({ tenant: 'acme', sub: 'ann' }, 'select id from millrace.own_run'))).toEqual(
    own(),
  )
  expect(await users.request({ tenant: 'acme' }, 'select id from millrace.own_approval')).toHaveLength(3)
  expect(ids((await users.acme.query('select id from millrace.own_run')).rows)).toEqual(own())
  expect((await users.acme.query('select id from millrace.own_approval')).rows).toHaveLength(3)
  expect(
    (await users.acme.query('select state, input from millrace.own_run where id = $1', [users.runs['acme']]))
      .rows,
  ).toEqual([{ state: 'waiting', input: { people: ['ann'] } }])

  await database.query(
    `update millrace.setting set value = '["app_metadata", "tenant_id"]' where name = 'tenant_claim'`,
  )
  expect(
    await users.request({ app_metadata: { tenant_id: 'bolt' } }, 'select id from millrace.own_run'),
  ).toEqual([{ id: users.runs['bolt'] }])
  expect(await users.request({ tenant: 'acme' }, 'select id from millrace.own_run')).toEqual([])
  await database.query(`update millrace.setting set value = '["tenant"]' where name = 'tenant_claim'`)
})

test('K3 whoever can not be told apart is nobody: no claim, a claim that is none, two tenants at once, and no guard is skipped', async () => {
  for (const claims of [
    '',
    '{',
    '[]',
    'null',
    '{}',
    { tenant: null },
    { tenant: 7 },
    { tenant: ['acme'] },
    { tenant: '' },
    { tenant: { a: 'acme' } },
  ]) {
    expect(await users.request(claims, 'select id from millrace.own_run'), JSON.stringify(claims)).toEqual([])
    expect(await users.request(claims, 'select id from millrace.own_approval')).toEqual([])
    await expect(
      users.request(claims, `select * from millrace.decide_own_approval($1, 'approve')`, [
        await users.approvalOf('acme'),
      ]),
    ).rejects.toMatchObject({ code: 'MR019' })
    await expect(
      users.request(claims, `select * from millrace.decide_own_approval($1, 'approve')`, [
        await users.approvalOf('nobody'),
      ]),
    ).rejects.toMatchObject({ code: 'MR019' })
  }
  await database.query(`grant ${users.roles.bolt} to ${users.roles.acme}`)
  expect((await users.acme.query('select id from millrace.own_run')).rows).toEqual([])
  await database.query(`revoke ${users.roles.bolt} from ${users.roles.acme}`)
  await expect(users.acme.query(`select millrace.act_for_tenant('bolt')`)).rejects.toMatchObject({
    code: '42501',
  })
  await database.query(`grant execute on function millrace.act_for_tenant to ${users.roles.acme}`)
  await expect(users.acme.query(`select millrace.act_for_tenant('bolt')`)).rejects.toMatchObject({
    code: 'MR172',
  })
  await database.query(`revoke execute on function millrace.act_for_tenant from ${users.roles.acme}`)
  const stranger = await createLogin(database, 'millrace_tenant')
  const client = new pg.Client(stranger.url)
  await client.connect()
  expect((await client.query('select id from millrace.own_run')).rows).toEqual([])
  await client.end()
  await stranger.close()
})

test('K2 with SQL of its own a user of one tenant finds no row, no value and no id of another: reads, writes, COPY, EXPLAIN, statistics, notifications, settings and roles', async () => {
  const foreign = users.runs['bolt']!
  const foreignApproval = await users.approvalOf('bolt')
  for (const text of [
    `select set_config('request.jwt.claims', '{"tenant":"bolt"}', false)`,
    `select set_config('millrace.tenant', 'bolt', false), set_config('millrace.tenant_at', pg_backend_pid() || ' ' || extract(epoch from transaction_timestamp()), false)`,
    `set millrace.actor = 'ben'`,
    'set row_security = off',
    'set row_security = on',
  ]) {
    await users.acme.query(text)
    const { rows } = await users.acme.query('select id from millrace.own_run').catch(() => ({ rows: [] }))
    for (const { id } of rows) expect(own()).toContain(id)
  }
  const seen: string[] = []
  users.acme.on('notification', (note) => seen.push(JSON.stringify(note)))
  for (const channel of ['millrace_wake', 'millrace_data', 'millrace_abort'])
    await users.acme.query(`listen ${channel}`)

  const reading = [
    'select * from millrace.own_run',
    `select * from millrace.own_run where id = '${foreign}'`,
    'select r.id, r.input from millrace.run r',
    'select id, title, people from millrace.approval',
    `select a.id from millrace.own_run r join millrace.own_approval a on a.run_id = r.id or true`,
    `select id from millrace.own_run where (case when pg_sleep(0) is null then true end) or input::text like '%'`,
    `explain select id from millrace.own_run where id = '${users.runs['acme']}'`,
    'explain verbose select id from millrace.own_run',
    `select tablename, attname, most_common_vals::text, histogram_bounds::text from pg_stats where schemaname = 'millrace'`,
    "select * from pg_stats_ext where schemaname = 'millrace'",
    'copy (select * from millrace.own_run) to stdout',
    'table millrace.own_approval',
    'select id from millrace.own_run order by id for share',
    'select query from pg_stat_activity',
    `with all_runs as materialized (select * from millrace.own_run) select count(*) from all_runs`,
    'select max(id::text) from millrace.own_run',
  ]
  for (const text of reading) {
    const told = JSON.stringify(
      await users.acme.query(text).then(
        ({ rows }) => rows,
        (error: Error) => error.message,
      ),
    )
    for (const secret of [foreign, foreignApproval, users.runs['nobody']!, await users.approvalOf('nobody')])
      expect(told.replaceAll(`where id = '${secret}'`, ''), text).not.toContain(secret)
    expect(told, text).not.toContain('"bolt"')
  }
  expect((await users.acme.query('select count(*)::int as n from millrace.own_run')).rows).toEqual([{ n: 3 }])

  const refused = [
    'select tenant from millrace.run',
    'select * from millrace.run',
    `select id from millrace.run where key = 'x'`,
    'select id from millrace.run_default',
    ...[
      'attempt',
      'event',
      'checkpoint',
      'task',
      'wait',
      'signal',
      'approval_decision',
      'setting',
      'tenant_role',
      'audit_entry',
      'secret',
      'worker',
    ].map((table) => `select * from millrace.${table}`),
    'copy millrace.run to stdout',
    'copy millrace.run (id, slug) from stdin',
    'update millrace.run set priority = 1 returning id',
    'update millrace.own_run set priority = 1',
    `delete from millrace.own_run where id = '${foreign}' returning *`,
    'delete from millrace.approval',
    `insert into millrace.own_approval (id) values ('${foreignApproval}') on conflict do nothing`,
    `insert into millrace.run (id, slug, version, tenant, started_via, started_by, created_at) values ('${foreign}', 'tenant-asks', 1, 'bolt', 'x', 'x', now())`,
    `merge into millrace.run r using (select 1) s on r.id = '${foreign}' when matched then delete`,
    'truncate millrace.run',
    'lock table millrace.run',
    `set role millrace_viewer`,
    `set role ${users.roles.bolt}`,
    `set session authorization ${users.roles.bolt}`,
    'create table millrace.mine (id int)',
    'create function millrace.current_tenant2() returns text language sql return 1',
    'alter table millrace.run disable row level security',
    `select millrace.cancel_run('${users.runs['acme']}')`,
    `select * from millrace.decide_approval('${foreignApproval}', 'approve')`,
    `select * from millrace.run_account('${foreign}')`,
    `select millrace.assign_tenant('${users.roles.acme}', 'bolt')`,
    'select * from millrace.application_user()',
    `select millrace.now(), millrace.write_audit('x.y', 'x', 'y')`,
    "select lo_import('/etc/passwd')",
  ]
  for (const text of refused)
    await expect(users.acme.query(text), text).rejects.toMatchObject({
      code: expect.stringMatching(/^(42501|0A000|55000|42809|25P01)$/),
    })
  await expect(
    users.acme.query(`select * from millrace.decide_own_approval('${foreignApproval}', 'approve')`),
  ).rejects.toMatchObject({ code: 'MR019', message: expect.stringContaining(foreignApproval) })
  // A table of the same name that comes first in the user's own path is not what the functions read.
  await users.acme.query('create temporary table tenant_role (role_name name, tenant text)')
  await users.acme.query(`insert into pg_temp.tenant_role values ('${users.roles.acme}', 'bolt')`)
  await users.acme.query('set search_path = pg_temp, millrace')
  expect(ids((await users.acme.query('select id from millrace.own_run')).rows)).toEqual(own())

  await opened.client().start(asks, {} as never, { tenant: 'bolt' })
  await users.acme.query('select 1')
  expect(seen.join()).not.toMatch(/bolt/)
  const [{ version }] = (await database.query<{ version: number }>(
    `select current_setting('server_version_num')::int as version`,
  )) as [{ version: number }]
  expect(version).toBeGreaterThan(150_000)
})

test('K2 the planner tells nobody what stands in the titles of other tenants', async () => {
  const columns = `run_id, step, name, state, data, roles, people, quorum, form, otherwise, created_at`
  await database.query(
    `insert into millrace.approval (id, item, title, ${columns})
     select gen_random_uuid(), a.item + n, case when a.tenant = 'bolt' then 'Pay ' || n else 'mine' end, ${columns}
       from millrace.approval a, generate_series(1, 2000) n where a.run_id in ($1, $2)`,
    [users.runs['acme'], users.runs['bolt']],
  )
  await database.query('analyze millrace.approval')
  const told = new Set<string>()
  for (const title of ['Pay 0', 'Pay 1500', 'Pay 9999', 'mine', 'zz']) {
    const { rows } = await users.acme.query<{ 'QUERY PLAN': string }>(
      `explain select 1 from millrace.own_approval where title < '${title}'`,
    )
    told.add(/rows=\d+/.exec(rows[0]!['QUERY PLAN'])![0])
  }
  expect([...told]).toHaveLength(1)
  await database.query('delete from millrace.approval where item >= 0')
})

test('an approval that a worker of the release before opens is of the tenant of its run', async () => {
  const columns = `run_id, step, name, state, title, data, roles, people, quorum, form, otherwise, created_at`
  const [opened] = await database.query<{ tenant: string }>(
    `insert into millrace.approval (id, item, ${columns})
     select gen_random_uuid(), a.item + 1, ${columns} from millrace.approval a where a.run_id = $1 returning tenant`,
    [users.runs['bolt']],
  )
  expect(opened).toEqual({ tenant: 'bolt' })
  await database.query('delete from millrace.approval where item >= 0')
})

test('the policies are evaluated once a statement, and a list of a tenant reads its own index', async () => {
  await users.server.query(`begin; select millrace.act_for_tenant('acme'); set local enable_seqscan = off`)
  const { rows } = await users.server.query<{ 'QUERY PLAN': string }>(
    'explain (analyze, costs off, timing off, summary off) select id from millrace.own_run order by id desc limit 50',
  )
  await users.server.query('commit')
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
  expect(plan).toMatch(/InitPlan 1.*\n.*Result \(actual rows=1(\.00)? loops=1\)/)
  expect(plan).toMatch(/Index Cond: \(tenant = /)
  expect(plan).not.toMatch(/Filter: .*current_tenant/)
})
