// The audit trail: whoever changes something is on record with what it was before and after, in the same transaction, and nobody takes it back.
import { Readable } from 'node:stream'
import pg from 'pg'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { pipeline } from '../src/sdk/pipeline.ts'
import { poolCaller } from '../src/db/call.ts'
import {
  chainStart,
  exportLines,
  pruneTrail,
  sealAll,
  verifyLines,
  verifyTrail,
} from '../src/sdk/audit-trail.ts'
import { migrate } from '../src/db/migrate.ts'
import { createEmptyDatabase } from './empty-database.ts'
import { createLogin } from './login.ts'
import { openMillrace } from './millrace.ts'
import { chain, registerPipeline } from './protocol.ts'

const { database, opened } = await openMillrace()
const caller = poolCaller(database.pool, { prepare: false, database: 'the test database' })
const sweep = pipeline('trail-sweep', { input: z.object({ state: z.string() }) }).step('search', () => 1)

interface Entry {
  readonly id: string
  readonly login: string
  readonly actor: string | null
  readonly action: string
  readonly subject: string
  readonly before: Record<string, unknown> | null
  readonly after: Record<string, unknown> | null
  readonly detail: Record<string, unknown>
  readonly address: string | null
  readonly correlation_id: string | null
}

let seen = 0
/** What came since the last look. */
async function entries(): Promise<Entry[]> {
  const rows = await database.query<Entry & { id: string }>(
    'select * from millrace.audit_entry where id > $1 order by id',
    [seen],
  )
  seen = Number(rows.at(-1)?.id ?? seen)
  return rows
}

async function linesOf(after = 0): Promise<string[]> {
  const lines: string[] = []
  for await (const line of exportLines(caller, after)) lines.push(line)
  return lines
}

const read = (lines: readonly string[]) => Readable.from(lines.map((line) => line.trimEnd()))

test('a split that gets other weights, and a callback that is told of other ends, are on record', async () => {
  await registerPipeline(database, 'trail-split', chain('one'))
  await registerPipeline(database, 'trail-split', chain('two'))
  const split = (weights: readonly number[]) =>
    database.query(`select millrace.split_pipeline('trail-split', '{1,2}', $1)`, [weights])
  const tell = (ends: readonly string[]) =>
    database.query(`select millrace.define_code_callbacks($1, '{trail-split}')`, [
      { 'trail-split': [{ url: 'https://hooks.example/ends', events: ends, secret: 'hook' }] },
    ])
  await split([99, 1])
  await tell(['failed'])
  await entries()
  await split([1, 99])
  expect(
    (await entries()).map(({ action, before, after }) => [action, before?.['weight'], after?.['weight']]),
  ).toEqual([
    ['pipeline_share.changed', 99, 1],
    ['pipeline_share.changed', 1, 99],
  ])
  await tell(['failed', 'completed'])
  expect((await entries()).map(({ action, subject }) => `${action} ${subject}`)).toEqual([
    'callback.changed trail-split',
  ])
  await split([1, 99])
  await tell(['failed', 'completed'])
  expect(await entries()).toEqual([])
})

test('of what is audited only what nobody changes in place has no trigger for changes', async () => {
  const tables = await database.query<{ name: string }>(
    `select c.relname as name from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
      where p.proname = 'audit_row' group by c.relname having bit_or(t.tgtype::int) & 16 = 0 order by 1`,
  )
  // A session's end moves by itself while somebody is at work.
  expect(tables.map(({ name }) => name)).toEqual([
    'change_backfill',
    'erasure',
    'person_session',
    'pipeline_version',
  ])
})

test('FO-13 what people define, pause and remove is on record: who, by which login, when, from where, before and after', async () => {
  // That a copy of the template may run is on record there.
  await entries()
  await opened.client().start(sweep, { state: 'TX' })
  expect((await entries()).map(({ action, subject }) => `${action} ${subject}`)).toEqual([
    'pipeline.created trail-sweep',
    'pipeline_version.created trail-sweep',
    'pipeline.changed trail-sweep',
  ])
  const client = await database.pool.connect()
  await client.query('begin')
  await client.query(
    `select set_config('millrace.actor', 'ann@example.org', true), set_config('millrace.request', $1, true)`,
    [
      JSON.stringify({
        kind: 'person',
        id: 'p1',
        address: '203.0.113.7',
        user_agent: 'curl',
        correlation_id: 'c-1',
      }),
    ],
  )
  await client.query(`select millrace.pause_pipeline('trail-sweep', 'the source is down')`)
  await client.query('commit')
  client.release()
  const [paused] = await entries()
  expect(paused).toMatchObject({
    action: 'pipeline.changed',
    actor: 'ann@example.org',
    actor_kind: 'person',
    actor_id: 'p1',
    address: '203.0.113.7',
    user_agent: 'curl',
    correlation_id: 'c-1',
    subject_kind: 'pipeline',
    subject: 'trail-sweep',
    before: { paused_at: null, paused_by: null, pause_reason: null },
    after: { paused_by: expect.stringContaining('ann@example.org'), pause_reason: 'the source is down' },
  })
  expect(paused?.login).not.toBe('')

  await database.query(`update millrace.setting set value = '60' where name = 'retention_days'`)
  expect(await entries()).toMatchObject([
    {
      action: 'setting.changed',
      subject: 'retention_days',
      actor: null,
      before: { value: 30 },
      after: { value: 60 },
    },
  ])
  await database.query(`update millrace.setting set value = '60' where name = 'retention_days'`)
  expect(await entries()).toEqual([])
  await database.query(`select millrace.resume_pipeline('trail-sweep')`)
  expect(await entries()).toMatchObject([{ action: 'pipeline.changed', after: { paused_at: null } }])
})

test('FO-13 PP-S11 limits, schedules, secrets, subscriptions and rules leave their entries, and none holds an input or a value', async () => {
  const { secrets, schedules } = opened.client({
    encryptionKeys: { k: Buffer.alloc(32, 1).toString('base64') },
  })
  await database.query(
    `select millrace.define_limit('trail-limit', '{"kind": "concurrency", "capacity": 2}', '[{"slug": "trail-sweep"}]', 'operator')`,
  )
  await database.query(
    `select millrace.define_limit('trail-limit', '{"kind": "concurrency", "capacity": 3}', '[{"slug": "trail-sweep"}]', 'operator')`,
  )
  await database.query(`select millrace.remove_limit('trail-limit')`)
  const limited = await entries()
  expect(limited).toMatchObject([
    { action: 'limit.created', after: { capacity: 2 } },
    { action: 'limit.targeted', detail: { targets: [{ slug: 'trail-sweep' }] } },
    { action: 'limit.changed', before: { capacity: 2 }, after: { capacity: 3 } },
    { action: 'limit.removed', before: { capacity: 3 } },
  ])

  await secrets.set('trail/token', { value: 'canary-of-a-secret' })
  await secrets.set('trail/token', { value: 'canary-of-a-second' })
  await schedules.define('trail-nightly', {
    pipeline: 'trail-sweep',
    cron: '0 3 * * *',
    input: { state: 'canary-of-an-input' },
  } as never)
  await schedules.pause('trail-nightly')
  await schedules.remove('trail-nightly')
  const told = await entries()
  expect(told.map(({ action, subject }) => `${action} ${subject}`)).toEqual([
    'secret.created trail/token',
    'secret.changed trail/token',
    'schedule.created trail-nightly',
    'schedule.changed trail-nightly',
    'schedule.changed trail-nightly',
  ])
  expect(told[1]).toMatchObject({ before: { version: 1 }, after: { version: 2 } })
  expect(told[2]?.after).toMatchObject({ cron: '0 3 * * *', input: '[hidden]' })
  const [{ all }] = (await database.query<{ all: string }>(
    `select string_agg(e::text, ' ') as all from millrace.audit_entry e`,
  )) as [{ all: string }]
  expect(all).not.toContain('canary')
})

test('FO-13 what people do to runs is on record, and what engines do is not', async () => {
  const client = opened.client()
  const { run } = await client.start(sweep, { state: 'OK' })
  const handle = client.run(run!)
  await entries()
  await handle.pause('lunch')
  await handle.resume()
  await handle.prioritize(1)
  await handle.rerun()
  await handle.cancel()
  await handle.cancel()
  expect((await entries()).map(({ action }) => action)).toEqual([
    'run.paused',
    'run.resumed',
    'run.prioritized',
    'run.rerun',
    'run.cancelled',
  ])
  await opened.worker({ pipelines: [sweep] })
  const { run: worked } = await client.start(sweep, { state: 'NM' })
  await client.run(worked!).result()
  expect(await entries()).toEqual([])
})

test('FO-13 a copy of a run was started by whoever asked for it, not by whoever started the first one', async () => {
  const { run } = await opened
    .client()
    .start(sweep, { state: 'KS' }, { headers: { 'millrace-actor': 'ann@example.org', trace: 't-1' } })
  const client = await database.pool.connect()
  await client.query(`begin; select set_config('millrace.actor', 'bob@example.org', true)`)
  await client.query('select millrace.rerun_run($1)', [run!.id])
  await client.query('commit')
  client.release()
  const started = await database.query(
    `select r.started_by, r.headers from millrace.run r join millrace.run_lineage l on l.run_id = r.id where l.of_run = $1`,
    [run!.id],
  )
  expect(started).toEqual([
    { started_by: expect.stringMatching(/^bob@example\.org via /) as string, headers: { trace: 't-1' } },
  ])
  await entries()
})

/** What is told elsewhere, or nobody's decision. */
const untold: Readonly<Record<string, string>> = {
  read_sealed: 'only reads',
  read_sealed_deliveries: 'only reads',
  read_sealed_secrets: 'only reads',
  write_sealed: 'another key, the same content: a batch of many',
  write_sealed_deliveries: 'another key, the same content: a batch of many',
  write_sealed_secrets: 'another key, the same content: a batch of many',
  list_audit_entries: 'only reads',
  export_audit_trail: 'only reads',
  verify_audit_trail: 'only reads',
  audit_guards: 'only reads',
  application_user: 'only reads',
  refuse_secret_version: 'only compares',
  refuse_watch_revision: 'only compares',
  claim_request: 'what the request does tells itself',
  answer_request: 'what the request does tells itself',
  begin_sign_in: 'who signed in, and who did not, is told where it is known',
  clear_sign_in: 'who signed in, and who did not, is told where it is known',
  publish_token_key: "the server's own key, by the clock",
  record_key_uses: 'when a key was last used, in batches',
}

test('FO-13 every function that operators or admins alone may call leaves an entry: by itself, by one that it calls, or by a row trigger of a table that it writes', async () => {
  const functions = await database.query<{ name: string; text: string; steers: boolean; reads: boolean }>(
    `select p.proname as name, p.prosrc as text, p.provolatile <> 'v' as reads,
            exists (select from aclexplode(p.proacl) a where a.grantee::regrole::text in ('millrace_operator', 'millrace_admin'))
              and not exists (select from aclexplode(p.proacl) a where a.grantee::regrole::text in ('millrace_worker', 'millrace_viewer')) as steers
       from pg_proc p where p.pronamespace = 'millrace'::regnamespace`,
  )
  const tables = await database.query<{ name: string }>(
    `select distinct tgrelid::regclass::text as name from pg_trigger where tgfoid = 'millrace.audit_row'::regproc`,
  )
  const writes = new RegExp(
    `(insert into|update|delete from) (millrace\\.)?(${tables.map(({ name }) => name.replace('millrace.', '')).join('|')})\\b`,
  )
  const tells = new Set([
    'write_audit',
    ...functions.filter(({ text }) => writes.test(text)).map(({ name }) => name),
  ])
  for (let before = 0; before < tells.size; ) {
    before = tells.size
    for (const { name, text } of functions)
      if ([...tells].some((told) => new RegExp(`\\b${told}\\s*\\(`).test(text))) tells.add(name)
  }
  const steering = functions.filter(({ steers }) => steers)
  expect(steering.length).toBeGreaterThan(40)
  const silent = steering.filter(({ name, reads }) => !reads && !tells.has(name) && !(name in untold))
  expect(silent.map(({ name }) => name).sort()).toEqual([])
})

test('FO-13 an entry comes and goes with the transaction of its change', async () => {
  const client = await database.pool.connect()
  await client.query('begin')
  await client.query(`update millrace.setting set value = '61' where name = 'retention_days'`)
  await client.query('rollback')
  client.release()
  expect(await entries()).toEqual([])
})

test('FO-13 nobody changes, removes or empties the trail: not its owner, not a superuser, not with the row triggers of a replica', async () => {
  await database.query(`update millrace.setting set value = '62' where name = 'retention_days'`)
  await sealAll(caller)
  const statements = ['audit_entry', 'audit_seal'].flatMap((table) => [
    `update millrace.${table} set ${table === 'audit_entry' ? "login = 'nobody'" : "hash = repeat('x', 32)::bytea"}`,
    `delete from millrace.${table}`,
    `truncate millrace.${table}`,
  ])
  for (const role of ['none', 'millrace_trail'])
    for (const mode of ['origin', 'replica'])
      for (const statement of statements) {
        const client = new pg.Client(database.url)
        await client.connect()
        await client.query(`set session_replication_role = ${mode}; set role ${role}`)
        await expect(client.query(statement), `${statement} as ${role}`).rejects.toMatchObject({
          code: expect.stringMatching(role === 'none' ? 'MR170' : 'MR170|42501'),
        })
        await client.end()
      }
  const admin = await createLogin(database, 'millrace_admin')
  const client = new pg.Client(admin.url)
  await client.connect()
  for (const statement of [
    ...statements,
    'select * from millrace.audit_entry',
    'insert into millrace.audit_unsealed values (1)',
  ])
    await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' })
  expect((await client.query('select * from millrace.list_audit_entries()')).rows).not.toEqual([])
  await client.end()
  const operating = await createLogin(database, 'millrace_operator')
  const operator = new pg.Client(operating.url)
  await operator.connect()
  await expect(operator.query('select * from millrace.list_audit_entries()')).rejects.toMatchObject({
    code: '42501',
  })
  await operator.end()
  await admin.close()
  await operating.close()
})

test('the trail belongs to a role that nobody logs in as, also where the migrator is no superuser, and its functions still write', async () => {
  const [{ owner }] = (await database.query<{ owner: string }>(
    `select distinct relowner::regrole::text as owner from pg_class where relnamespace = 'millrace'::regnamespace and relname like 'audit%' and relkind = 'r'`,
  )) as [{ owner: string }]
  expect(owner).toBe('millrace_trail')
  const client = await migratedBy('createrole')
  expect((await client.query('select * from millrace.audit_guards()')).rows).toEqual([
    { owner: 'millrace_trail', owner_logs_in: false, triggers_off: [] },
  ])
  await expect(client.query('alter table millrace.audit_entry disable trigger all')).rejects.toMatchObject({
    code: '42501',
  })
})

test('where the migrator may not give it away the trail is its own, which is said, and kept all the same', async () => {
  const client = await migratedBy('nocreaterole')
  const { rows } = await client.query<{ owner: string; owner_logs_in: boolean }>(
    'select owner, owner_logs_in from millrace.audit_guards()',
  )
  expect(rows).toEqual([{ owner: expect.stringMatching(/^trail_migrator/) as string, owner_logs_in: true }])
})

const openedBy: { client: pg.Client; end: () => Promise<void> }[] = []
afterEach(async () => {
  for (const { client, end } of openedBy.splice(0)) {
    await client.end()
    await end()
  }
})

/** A database migrated twice by a login that is no superuser, and a connection of it: entries are written and sealed, and none is removed. */
async function migratedBy(right: 'createrole' | 'nocreaterole'): Promise<pg.Client> {
  const empty = await createEmptyDatabase()
  const login = `trail_migrator_${right}_${process.pid}`
  await empty.query(`create role ${login} login ${right} password 'x'`)
  // What whoever makes a role gets: from PostgreSQL 16 on it may give it, no more; before that everybody who may make roles could.
  const [{ number }] = (await empty.query<{ number: number }>(
    `select current_setting('server_version_num')::int as number`,
  )) as [{ number: number }]
  if (number >= 160_000 && right === 'createrole')
    await empty.query(`grant millrace_trail to ${login} with admin true, inherit false, set false`)
  const url = new URL(empty.url)
  await empty.query(`grant create on database "${url.pathname.slice(1)}" to ${login}`)
  url.username = login
  url.password = 'x'
  const client = new pg.Client(url.href)
  client.on('error', () => {})
  openedBy.push({
    client,
    end: async () => {
      await empty.close()
      await database.query(`drop owned by ${login}`)
      await database.query(`drop role ${login}`)
    },
  })
  await migrate({ connectionString: url.href })
  await migrate({ connectionString: url.href })
  await client.connect()
  await client.query(`update millrace.setting set value = '31' where name = 'retention_days'`)
  expect((await client.query('select millrace.seal_audit_trail() as sealed')).rows).toEqual([{ sealed: 1 }])
  await expect(client.query('delete from millrace.audit_entry')).rejects.toMatchObject({ code: 'MR170' })
  return client
}

test('FO-13 the chain holds what was committed, in one order for several sealers at once, and checks out in the database and from its export alone', async () => {
  const slow = await database.pool.connect()
  await slow.query('begin')
  await slow.query(`insert into millrace.setting (name, value) values ('trail-slow', '1')`)
  await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      database.query(`insert into millrace.setting (name, value) values ($1, '1')`, [`trail-${n}`]),
    ),
  )
  await Promise.all([1, 2, 3].map(() => sealAll(caller)))
  await slow.query('commit')
  slow.release()
  const verified = await verifyTrail(caller)
  expect(verified).toMatchObject({ faults: [], guards: { owner: 'millrace_trail', owner_logs_in: false } })
  const lines = await linesOf()
  expect(lines).toHaveLength(verified.end.position)
  expect(await verifyLines(read(lines))).toEqual(verified.end)
  expect(lines.at(-1)).toContain('trail-slow')
  const later = lines.slice(5)
  expect(await verifyLines(read(later), JSON.parse(lines[4]!))).toEqual(verified.end)
  expect(await verifyLines(read(later))).toEqual(verified.end)
  expect(await verifyTrail(caller, verified.end)).toMatchObject({ faults: [] })
  expect(await verifyTrail(caller, chainStart)).toMatchObject({ faults: [] })

  const changed = lines.with(3, lines[3]!.replace('created', 'removed').replace('changed', 'removed'))
  for (const wrong of [changed, lines.toSpliced(3, 1), [...lines, 'no line']])
    await expect(verifyLines(read(wrong))).rejects.toMatchObject({ code: 'audit_trail_broken' })
})

test('FO-13 what DDL can still do is found: an entry changed, removed, or never sealed, and a chain written anew by the head that was kept', async () => {
  const { end } = await verifyTrail(caller)
  const tamper = async (text: string): Promise<unknown> => {
    const client = new pg.Client(database.url)
    await client.connect()
    await client.query(
      'begin; alter table millrace.audit_entry disable trigger all; alter table millrace.audit_seal disable trigger all',
    )
    await client.query(text)
    const found = await verifyTrail(
      {
        call: async <Row>(statement: { text: string }, values: readonly unknown[]) =>
          (await client.query(statement.text, [...values])).rows as Row[],
      },
      end,
    )
    await client.query('rollback')
    await client.end()
    return found
  }
  expect(
    await tamper(
      `update millrace.audit_entry set login = 'somebody' where id = (select entry_id from millrace.audit_seal where position = 3)`,
    ),
  ).toMatchObject({
    faults: [{ fault: 'changed', position: 3 }],
    guards: { triggers_off: expect.arrayContaining(['audit_entry.kept']) },
  })
  expect(
    await tamper(
      `delete from millrace.audit_entry where id = (select entry_id from millrace.audit_seal where position = 4)`,
    ),
  ).toMatchObject({ faults: [{ fault: 'entry_missing', position: 4 }] })
  expect(await tamper('delete from millrace.audit_seal where position = 5')).toMatchObject({
    faults: [{ fault: 'missing', position: 5 }, { fault: 'unsealed' }],
  })
  const rewritten = await tamper(`
    insert into millrace.audit_unsealed select id from millrace.audit_entry where login <> 'x';
    update millrace.audit_entry set login = 'somebody';
    delete from millrace.audit_seal; select millrace.seal_audit_trail(10000)`)
  expect(rewritten).toMatchObject({ faults: [{ fault: 'changed', position: end.position }] })
  expect(await tamper(`delete from millrace.audit_seal where position = ${end.position}`)).toMatchObject({
    faults: [{ fault: 'unsealed' }, { fault: 'changed', position: end.position }],
  })
  expect(
    await tamper(`
      insert into millrace.setting (name, value) values ('trail-hidden', '1');
      delete from millrace.audit_entry where subject = 'trail-hidden'`),
  ).toMatchObject({ faults: [{ fault: 'entry_missing', entry: expect.any(Number) as number }] })
})

test('FO-13 a definition whose changes nobody tells any more is found', async () => {
  const client = await database.pool.connect()
  await client.query('begin; alter table millrace.schedule disable trigger audited_change')
  expect((await client.query('select triggers_off from millrace.audit_guards()')).rows).toEqual([
    { triggers_off: ['schedule.audited_change'] },
  ])
  await client.query('rollback')
  client.release()
})

test('FO-13 nobody can say of what is young, or of what no chain holds, that it was exported, and so remove it', async () => {
  const { end } = await verifyTrail(caller)
  const forged = (position: number, hash: string) =>
    database.query(
      `insert into millrace.audit_export (position, hash, exported_at, exported_by) values ($1, decode($2, 'hex'), now(), 'x')`,
      [position, hash],
    )
  await expect(forged(end.position, end.hash)).rejects.toMatchObject({ code: 'MR170' })
  await database.clock.advance('91 days')
  await expect(forged(end.position + 1_000_000, end.hash)).rejects.toMatchObject({ code: 'MR170' })
  await expect(forged(end.position, '0'.repeat(64))).rejects.toMatchObject({ code: 'MR170' })
  await expect(database.query('delete from millrace.audit_entry')).rejects.toMatchObject({ code: 'MR170' })
  await database.clock.reset()
})

test('what was exported goes when it is 90 days old, nothing else does, and the chain goes on', async () => {
  const lines = await linesOf()
  const end = await verifyLines(read(lines))
  await expect(pruneTrail(caller, { ...end, hash: 'f'.repeat(64) })).rejects.toMatchObject({
    code: 'audit_export_unknown',
  })
  expect(await pruneTrail(caller, end)).toEqual({ removed: 0, through: 0 })
  await database.clock.advance('91 days')
  await database.query(`update millrace.setting set value = '63' where name = 'retention_days'`)
  expect(await pruneTrail(caller, end)).toEqual({ removed: end.position, through: end.position })
  const verified = await verifyTrail(caller, end)
  expect(verified).toMatchObject({ faults: [], end: { position: end.position + 2 } })
  const left = await linesOf()
  expect(left.map((line) => JSON.parse(line).entry.action)).toEqual(['setting.changed', 'audit_trail.pruned'])
  expect(await verifyLines(read(left), end)).toEqual(verified.end)
  await expect(database.query('delete from millrace.audit_entry')).rejects.toMatchObject({ code: 'MR170' })
  expect(await pruneTrail(caller, end)).toEqual({ removed: 0, through: end.position })
})

test('a request that says nothing readable of itself stops nobody', async () => {
  await entries()
  for (const request of ['{', '[]', '"x"', JSON.stringify({ id: 'x'.repeat(5_000), address: 7 })]) {
    const client = await database.pool.connect()
    await client.query('begin')
    await client.query(`select set_config('millrace.request', $1, true)`, [request])
    await client.query(
      `update millrace.setting set value = to_jsonb((value::text)::int + 1) where name = 'retention_days'`,
    )
    await client.query('commit')
    client.release()
  }
  expect(await entries()).toHaveLength(4)
})

test('the entries of one subject are read by their index, whatever else there is', async () => {
  await database.query(
    `insert into millrace.audit_entry (at, login, action, subject_kind, subject) select now(), 'x', 'run.paused', 'run', 'r' || n from generate_series(1, 20000) n`,
  )
  await database.query('analyze millrace.audit_entry')
  const client = await database.pool.connect()
  await client.query(
    `load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on`,
  )
  const plans: string[] = []
  client.on('notice', ({ message }) => plans.push(message ?? ''))
  await client.query('set client_min_messages = log')
  const { rows } = await client.query(
    `select id from millrace.list_audit_entries(subject_kind => 'run', subject => 'r77')`,
  )
  client.release(true)
  expect(rows).toHaveLength(1)
  expect(plans.join('\n')).toContain('audit_entry_subject')
})
