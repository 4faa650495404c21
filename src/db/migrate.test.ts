// The migrator: all or nothing, once, in order, and a sentence for whatever it refuses.
import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../../test/deadline.ts'
import { createEmptyDatabase, type EmptyDatabase } from '../../test/empty-database.ts'
import { createSchemaFolder, type SchemaFolder } from '../../test/schema-folder.ts'
import { type MigrateOptions, type MigrateResult, migrate } from './migrate.ts'

const FIRST = 'create table millrace.thing (id int primary key);\ninsert into thing values (1);\n'
const SECOND = "comment on table millrace.thing is 'A thing; no more.';\ninsert into thing values (2);\n"
const COUNT_THINGS = `-- How many there are.
create or replace function millrace.count_things() returns bigint language sql as $$ select count(*) from millrace.thing $$;
comment on function millrace.count_things() is 'How many things there are.';
`

let database: EmptyDatabase
let folder: SchemaFolder

beforeEach(async () => {
  database = await createEmptyDatabase()
  folder = await createSchemaFolder({
    'migrations/0001_thing.sql': FIRST,
    'migrations/0002_second_thing.sql': SECOND,
    'functions/things/count_things.sql': COUNT_THINGS,
  })
})
afterEach(async () => {
  await folder.close()
  await database.close()
})

function run(
  options: Partial<Omit<MigrateOptions, 'client' | 'connectionString'>> = {},
): Promise<MigrateResult> {
  return migrate({ connectionString: database.url, directory: folder.directory, ...options })
}

async function things(): Promise<unknown> {
  const rows = await database.query<{ ids: number[] }>(
    'select array_agg(id order by id) as ids from millrace.thing',
  )
  return rows[0]?.ids
}

async function schemaExists(): Promise<boolean> {
  return (await database.query(`select from pg_namespace where nspname = 'millrace'`)).length === 1
}

async function logOf(options: Parameters<typeof run>[0] = {}): Promise<string[]> {
  const lines: string[] = []
  await run({ ...options, log: (line) => lines.push(line) })
  return lines
}

describe('an apply', () => {
  test('PP-D2 takes an empty database through all migrations and functions, and records each with its checksum', async () => {
    expect(await run()).toEqual({
      applied: ['0001_thing.sql', '0002_second_thing.sql'],
      pending: [],
      droppedIndexes: [],
      functions: 1,
      roles: { created: [], missing: [], sql: '' },
      version: 2,
    })
    expect(await database.query('select millrace.count_things()::int as n')).toEqual([{ n: 2 }])
    const records = await database.query(
      'select number, name, length(checksum) as length from millrace.migration',
    )
    expect(records).toEqual([
      { number: 1, name: 'thing', length: 64 },
      { number: 2, name: 'second_thing', length: 64 },
    ])
  })

  test('does nothing when there is nothing to do', async () => {
    await run()
    const before = await database.query('select applied_at from millrace.function_set')
    expect(await run()).toMatchObject({ applied: [], functions: 0, version: 2 })
    expect(await database.query('select applied_at from millrace.function_set')).toEqual(before)
    expect(await logOf()).toEqual([])
  })

  test('brings only what is new', async () => {
    await run()
    await folder.write('migrations/0003_third_thing.sql', 'insert into thing values (3);')
    expect(await logOf()).toEqual([
      'Applied migration 0003_third_thing.sql.',
      'Applied 1 functions and the grants.',
    ])
    expect(await things()).toEqual([1, 2, 3])
  })

  test('brings a changed function without any migration', async () => {
    await run()
    await folder.write('functions/things/count_things.sql', COUNT_THINGS.replace('count(*)', '40 + count(*)'))
    expect(await run()).toMatchObject({ applied: [], functions: 1 })
    expect(await database.query('select millrace.count_things()::int as n')).toEqual([{ n: 42 }])
  })

  test('keeps a function whose file is gone, for the workers that still call it', async () => {
    await run()
    await folder.remove('functions/things/count_things.sql')
    await run()
    expect(await database.query('select millrace.count_things()::int as n')).toEqual([{ n: 2 }])
  })

  test('takes line ends of Windows for the same file', async () => {
    await run()
    await folder.write('migrations/0001_thing.sql', FIRST.replaceAll('\n', '\r\n'))
    expect(await run()).toMatchObject({ applied: [] })
  })

  test('uses the client it is given, and leaves it open', async () => {
    const client = await database.connect()
    expect(await migrate({ client, directory: folder.directory })).toMatchObject({ version: 2 })
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('with plan only tells, in a database that stays empty', async () => {
    expect(await run({ plan: true })).toMatchObject({
      applied: [],
      pending: ['0001_thing.sql', '0002_second_thing.sql'],
      functions: 1,
      version: 0,
    })
    expect(await schemaExists()).toBe(false)
    expect(await logOf({ plan: true })).toEqual([
      'Would apply migration 0001_thing.sql.',
      'Would apply migration 0002_second_thing.sql.',
      'Would apply 1 functions and the grants.',
    ])
    await run()
    expect(await logOf({ plan: true })).toEqual(['Nothing to do: the schema is up to date.'])
  })

  test('RR-15 tells PostgREST to read its schema again where that is present', async () => {
    const client = await database.connect()
    await client.query(
      `do $$ begin create role authenticator; exception when duplicate_object then null; end $$`,
    )
    await client.query('listen pgrst')
    const heard = new Promise<pg.Notification>((resolve) => client.once('notification', resolve))
    await run()
    expect((await heard).payload).toBe('reload schema')
    await client.query('drop role authenticator')
  })
})

describe('several migrators', () => {
  test('C7 five at once apply everything once, and none of them fails', async () => {
    const results = await Promise.all([run(), run(), run(), run(), run()])
    expect(results.filter(({ applied }) => applied.length > 0)).toHaveLength(1)
    expect(results.map(({ version }) => version)).toEqual([2, 2, 2, 2, 2])
    expect(await things()).toEqual([1, 2])
  })

  test('C7 one that finds another at work says so and waits', async () => {
    const other = await database.connect()
    await other.query(`begin; select pg_advisory_xact_lock(hashtextextended('millrace.migrate', 0))`)
    const lines = await logOf({ wait: () => other.query('commit') })
    expect(lines[0]).toBe('Another migrator is at work in this database; waiting for it to finish.')
    expect(await things()).toEqual([1, 2])
  })

  test('C7 in different databases of one server make its roles once', async () => {
    const name = `millrace_race_${randomBytes(4).toString('hex')}`
    await folder.write('roles.sql', rolesFile(name))
    const others = await Promise.all([createEmptyDatabase(), createEmptyDatabase(), createEmptyDatabase()])
    const urls = [database, ...others].map(({ url }) => url)
    const results = await Promise.all(
      urls.map((connectionString) => migrate({ connectionString, directory: folder.directory })),
    )
    expect(results.map(({ roles }) => roles.sql)).toEqual(['', '', '', ''])
    expect(results.flatMap(({ roles }) => roles.created).sort()).toEqual([`${name}_a`, `${name}_b`])
    await Promise.all(others.map((other) => other.close()))
    await database.query(`drop role ${name}_a, ${name}_b`)
  })
})

describe('an apply that does not come to its end', () => {
  test('L1 killed half-way leaves nothing, and the next one is clean', async () => {
    await database.query('create table public.gate ()')
    await folder.write('migrations/0002_second_thing.sql', `lock table public.gate;\n${SECOND}`)
    const holder = await database.connect()
    await holder.query('begin; lock table public.gate')
    const killed = expect(run()).rejects.toMatchObject({ code: 'database_unreachable' })
    await terminateWaiting()
    await killed
    expect(await schemaExists()).toBe(false)
    await holder.query('commit')
    expect(await run()).toMatchObject({ applied: ['0001_thing.sql', '0002_second_thing.sql'] })
    expect(await things()).toEqual([1, 2])
  })

  test('L1 gives way to sessions that hold a table, and tries again', async () => {
    await run()
    await folder.write('migrations/0003_third_thing.sql', 'alter table thing add column note text;')
    const worker = await database.connect()
    await worker.query('begin; lock table millrace.thing in row exclusive mode')
    const waits: number[] = []
    const wait = async (ms: number): Promise<void> => {
      if (waits.push(ms) === 2) await worker.query('commit')
    }
    expect(await run({ lockTimeoutMs: 10, wait })).toMatchObject({ applied: ['0003_third_thing.sql'] })
    expect(waits).toHaveLength(2)
  })

  test('L1 it is the migrator that gives way, and no transaction that has one of its tables and comes to the next', async () => {
    await folder.write('migrations/0002_second_thing.sql', `${SECOND}create table millrace.other ();\n`)
    await run()
    await folder.write(
      'migrations/0003_third_thing.sql',
      'alter table millrace.thing add column note text; lock table public.gate; alter table millrace.other add column note text;',
    )
    const [worker, holder] = [await database.connect(), await database.connect()]
    await database.query('create table public.gate ()')
    await holder.query('begin; lock table public.gate')
    await worker.query('begin; select from millrace.other')
    const migrated = run({ lockTimeoutMs: 10_000 })
    await until('the migrator waits for a table', () => areWaiting(1))
    // The server looks for a deadlock a second after a session began to wait, and undoes that one: it is to be nobody who works.
    let isThere = false
    const next = worker.query('select from millrace.thing').finally(() => {
      isThere = true
    })
    next.catch(() => {})
    await until('the worker waits as well, or has the table', async () => isThere || (await areWaiting(2)))
    await holder.query('commit')
    await next
    await worker.query('commit')
    expect(await migrated).toMatchObject({ applied: ['0003_third_thing.sql'] })
  })

  describe('with two tables to lock', () => {
    let [worker, other]: pg.Client[] = []
    beforeEach(async () => {
      await folder.write('migrations/0002_second_thing.sql', `${SECOND}create table millrace.other ();\n`)
      await run()
      await folder.write(
        'migrations/0003_notes.sql',
        `alter table millrace.thing add column note text; alter table millrace.other add column note text;
         create table public.told as select current_setting('lock_timeout') as lock_timeout;`,
      )
      ;[worker, other] = [await database.connect(), await database.connect()]
    })

    test.each(['thing', 'other'])(
      'L1 stops when somebody cancels it while it waits for table %s',
      async (table) => {
        await worker!.query(`begin; select from millrace.${table}`)
        const stopped = expect(run({ wait: async () => {} })).rejects.toMatchObject({ code: '57014' })
        await until('the migrator waits, and is cancelled', async () => {
          const cancelled = await database.query(
            `select pg_cancel_backend(pid) from pg_stat_activity
              where datname = current_database() and application_name = 'millrace migrate' and wait_event = 'relation'`,
          )
          return cancelled.length > 0
        })
        await stopped
      },
    )

    test('L1 holding none, it waits for a table that has somebody at every moment, until its turn comes', async () => {
      await worker!.query('begin; select from millrace.thing')
      const waits: number[] = []
      const migrated = run({ lockTimeoutMs: 20_000, wait: async (ms) => waits.push(ms) })
      await until('the migrator waits for its first table', () => areWaiting(1))
      const next = other!.query('select from millrace.thing')
      await until(
        'the next one has had the table, or is behind the migrator for longer than half a second',
        () => Promise.race([next.then(() => true), haveWaited('thing', 600)]),
      )
      await worker!.query('commit')
      expect(await migrated).toMatchObject({ applied: ['0003_notes.sql'] })
      expect(waits).toEqual([])
      expect(await database.query('select * from public.told')).toEqual([{ lock_timeout: '20s' }])
      await next
    })

    test('L1 begins the next try with the table that was in its way', async () => {
      await worker!.query('begin; select from millrace.other')
      const migrated = run({ lockTimeoutMs: 20_000, wait: async () => {} })
      await until('the migrator waits for the other table, and has none', async () => {
        const waiting = await database.query(
          `select from pg_locks l where not l.granted and l.relation = 'millrace.other'::regclass
              and not exists (select from pg_locks h where h.pid = l.pid and h.granted and h.relation = 'millrace.thing'::regclass)`,
        )
        return waiting.length > 0
      })
      await worker!.query('select from millrace.thing; commit')
      expect(await migrated).toMatchObject({ applied: ['0003_notes.sql'] })
    })

    // Who began to wait before the migrator had the table looks for a deadlock sooner than a second after that.
    test('L1 gives way at once where somebody who has waited behind it holds the next table', async () => {
      await other!.query('begin; select from millrace.thing')
      await worker!.query('begin; select from millrace.other')
      const migrated = run({ lockTimeoutMs: 20_000 })
      await until('the migrator waits for its first table', () => areWaiting(1))
      const next = worker!.query('select from millrace.thing')
      next.catch(() => {})
      await until('the worker is behind it for longer than half a second', () => haveWaited('thing', 600, 2))
      await other!.query('commit')
      await next
      await worker!.query('commit')
      expect(await migrated).toMatchObject({ applied: ['0003_notes.sql'] })
    })
  })

  test('L1 gives up in a sentence when a table stays held, with nothing changed', async () => {
    await run()
    await folder.write(
      'migrations/0003_third_thing.sql',
      'insert into thing values (3); alter table thing add column note text;',
    )
    const worker = await database.connect()
    await worker.query('begin; lock table millrace.thing in share mode')
    const blocked = run({ lockTimeoutMs: 5, wait: async () => {} })
    await expect(blocked).rejects.toMatchObject({ code: 'migration_blocked' })
    expect(await things()).toEqual([1, 2])
  })

  test('names file and line of what failed, and keeps nothing', async () => {
    await folder.write(
      'migrations/0002_second_thing.sql',
      'insert into thing values (2);\n\nselect nonsense;\n',
    )
    await expect(run()).rejects.toMatchObject({
      code: 'migration_failed',
      message: expect.stringContaining('migrations/0002_second_thing.sql, line 3 failed: column "nonsense"'),
    })
    expect(await schemaExists()).toBe(false)
  })

  async function areWaiting(sessions: number): Promise<boolean> {
    const waiting = await database.query(
      `select from pg_stat_activity where datname = current_database() and wait_event = 'relation'`,
    )
    return waiting.length >= sessions
  }

  async function haveWaited(table: string, ms: number, sessions = 1): Promise<boolean> {
    const waiting = await database.query(
      `select from pg_locks where not granted and relation = $1::regclass and clock_timestamp() - waitstart > make_interval(secs => $2)`,
      [`millrace.${table}`, ms / 1_000],
    )
    return waiting.length >= sessions
  }

  async function terminateWaiting(): Promise<void> {
    for (;;) {
      const rows = await database.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and application_name = 'millrace migrate' and wait_event_type = 'Lock'`,
      )
      if (rows.length > 0) return
    }
  }
})

describe('a migration outside a transaction', () => {
  const INDEX = `-- outside a transaction
drop index concurrently if exists millrace.thing_id;
create index concurrently thing_id on millrace.thing (id);
`
  beforeEach(() => folder.write('migrations/0003_thing_index.sql', INDEX))

  test('stands alone between the others', async () => {
    await folder.write('migrations/0004_fourth_thing.sql', 'insert into thing values (4);')
    expect(await logOf()).toEqual([
      'Applied migration 0001_thing.sql.',
      'Applied migration 0002_second_thing.sql.',
      'Applied migration 0003_thing_index.sql.',
      'Applied migration 0004_fourth_thing.sql.',
      'Applied 1 functions and the grants.',
    ])
    expect(await things()).toEqual([1, 2, 4])
  })

  test('C7 is applied once by five migrators, which do not wait for each other for ever', async () => {
    const results = await Promise.all([run(), run(), run(), run(), run()])
    expect(results.flatMap(({ applied }) => applied).sort()).toEqual([
      '0001_thing.sql',
      '0002_second_thing.sql',
      '0003_thing_index.sql',
    ])
    const rows = await database.query(
      `select indisvalid from pg_index where indexrelid = 'millrace.thing_id'::regclass`,
    )
    expect(rows).toEqual([{ indisvalid: true }])
  })

  test('that failed is tried from its beginning, and what came before it stays', async () => {
    await folder.write('migrations/0003_thing_index.sql', INDEX.replace('(id)', '(nonsense)'))
    await expect(run()).rejects.toMatchObject({
      code: 'migration_failed',
      message: expect.stringContaining('0003_thing_index.sql, statement 2'),
    })
    await folder.write('migrations/0003_thing_index.sql', INDEX)
    expect(await run()).toMatchObject({ applied: ['0003_thing_index.sql'], functions: 1 })
  })

  test('C1 is refused behind a pooler, with the reason', async () => {
    const client = await database.connect()
    Object.assign(client, { processID: 1 })
    const refused = migrate({ client, directory: folder.directory })
    await expect(refused).rejects.toMatchObject({
      code: 'pooler_unsupported',
      fields: { file: '0003_thing_index.sql' },
    })
    expect(await things()).toEqual([1, 2])
  })
})

describe('the migrator refuses', () => {
  test('PP-D2 a migration that was edited after it had been applied', async () => {
    await run()
    await folder.write('migrations/0001_thing.sql', `${FIRST}-- more\n`)
    await expect(run()).rejects.toMatchObject({
      code: 'migration_edited',
      message: 'Migration 0001_thing.sql was edited after it had been applied to this database.',
    })
  })

  test('a migration that was renamed', async () => {
    await run()
    await folder.remove('migrations/0002_second_thing.sql')
    await folder.write('migrations/0002_other_thing.sql', SECOND)
    await expect(run()).rejects.toMatchObject({ code: 'migration_renamed' })
  })

  test('a migration that was left out while later ones were applied', async () => {
    await run()
    await database.query('delete from millrace.migration where number = 1')
    await expect(run()).rejects.toMatchObject({ code: 'migration_gap', fields: { file: '0001_thing.sql' } })
  })

  test('a schema with more migrations than it knows', async () => {
    await run()
    await folder.remove('migrations/0002_second_thing.sql')
    await expect(run()).rejects.toMatchObject({ code: 'schema_newer', fields: { applied: 2, known: 1 } })
  })

  test('to replace the functions of a newer version by its own', async () => {
    await run()
    await database.query(`update millrace.function_set set package_version = '99.0.0', checksum = 'other'`)
    await expect(run()).rejects.toMatchObject({ code: 'schema_newer', fields: { schemaVersion: '99.0.0' } })
  })

  test('a second function of the same name', async () => {
    await run()
    const changed = COUNT_THINGS.replaceAll('count_things()', 'count_things(above int)')
    await folder.write('functions/things/count_things.sql', changed.replace('(above int) is', '(int) is'))
    await expect(run()).rejects.toMatchObject({
      code: 'function_overloaded',
      fields: { functions: ['count_things'] },
    })
    await folder.write('migrations/0003_count_things.sql', 'drop function millrace.count_things();')
    expect(await run()).toMatchObject({ applied: ['0003_count_things.sql'] })
  })

  test('a changed result, with the way out', async () => {
    await run()
    await folder.write(
      'functions/things/count_things.sql',
      COUNT_THINGS.replace('returns bigint', 'returns numeric'),
    )
    await expect(run()).rejects.toMatchObject({
      code: 'migration_failed',
      hint: expect.stringContaining('drop function'),
    })
  })

  test('a login that may not create the schema', async () => {
    const { client, role } = await connectLimited()
    const refused = migrate({ client, directory: folder.directory })
    await expect(refused).rejects.toMatchObject({
      code: 'database_rights_missing',
      message: expect.stringContaining('permission denied for database'),
    })
    await dropLimited(client, role)
  })

  test('a server that is too old', async () => {
    const rows = [{ number: 140_011, name: '14.11' }]
    const client = {
      host: 'old',
      port: 5432,
      database: 'db',
      query: async () => ({ rows }),
    } as unknown as pg.Client
    await expect(migrate({ client, directory: folder.directory })).rejects.toMatchObject({
      code: 'server_unsupported',
      message: 'Millrace needs PostgreSQL 15 or later; this server is 14.11.',
    })
  })

  test('a server that is read-only', async () => {
    await database.query(
      `do $$ begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$`,
    )
    await expect(run()).rejects.toMatchObject({ code: 'database_read_only' })
  })
})

describe('roles and grants', () => {
  let name: string
  beforeEach(async () => {
    name = `millrace_test_${randomBytes(4).toString('hex')}`
    await folder.write('roles.sql', rolesFile(name))
    await folder.write('grants.sql', grantsFile(name))
  })
  const dropRoles = () => database.query(`drop owned by ${name}_a, ${name}_b; drop role ${name}_a, ${name}_b`)

  test('are made and given, with a bound on statements', async () => {
    expect((await run()).roles).toEqual({ created: [`${name}_a`, `${name}_b`], missing: [], sql: '' })
    expect(await rightsOf(`${name}_a`)).toEqual({ calls: true, reads: true, writes: false })
    expect(await rightsOf(`${name}_b`)).toEqual({ calls: true, reads: true, writes: false })
    expect(await database.query('select rolconfig from pg_roles where rolname = $1', [`${name}_a`])).toEqual([
      { rolconfig: ['statement_timeout=7s'] },
    ])
    expect((await run()).roles.created).toEqual([])
    await dropRoles()
  })

  test('keep the bound that an administrator chose', async () => {
    await run()
    await database.query(`alter role ${name}_a set statement_timeout = '8s'`)
    await run()
    expect(await database.query('select rolconfig from pg_roles where rolname = $1', [`${name}_a`])).toEqual([
      { rolconfig: ['statement_timeout=8s'] },
    ])
    await dropRoles()
  })

  test('are printed where the login may not make them, and the rest is applied', async () => {
    const { client, role } = await connectLimited()
    await database.query(`grant create on database ${await databaseName()} to ${role}`)
    const lines: string[] = []
    const options = { client, directory: folder.directory, log: (line: string) => lines.push(line) }
    const { roles, applied } = await migrate(options)
    expect(roles).toMatchObject({ created: [], missing: [`${name}_a`, `${name}_b`] })
    expect(lines.join('\n')).toContain(`create role ${name}_a nologin;`)
    expect(applied).toHaveLength(2)

    await database.query(roles.sql)
    expect(await migrate(options)).toMatchObject({
      applied: [],
      functions: 1,
      roles: { sql: '', missing: [] },
    })
    expect(await rightsOf(`${name}_a`)).toEqual({ calls: true, reads: true, writes: false })
    await dropRoles()
    await dropLimited(client, role)
  })

  test('PP-S3 nobody has a right but those on the list', async () => {
    await run()
    await database.query(`
      grant usage on schema millrace to public;
      grant select on millrace.thing to public;
      grant execute on function millrace.count_things() to public;
      grant insert on millrace.thing to ${name}_a`)
    await folder.write('migrations/0003_other.sql', 'create table millrace.other (id int);')
    await run()
    const stranger = `${name}_stranger`
    await database.query(`create role ${stranger}`)
    expect(await rightsOf(stranger)).toEqual({ calls: false, reads: false, writes: false })
    expect(await rightsOf(`${name}_a`)).toEqual({ calls: true, reads: true, writes: false })
    await database.query(`drop role ${stranger}`)
    await dropRoles()
  })

  test('PP-S3 a table whose migration forgot row security gets it', async () => {
    await run()
    const rows = await database.query(
      `select relname from pg_class where relnamespace = 'millrace'::regnamespace and relkind = 'r' and not relrowsecurity`,
    )
    expect(rows).toEqual([])
    await dropRoles()
  })

  test('a policy lets the roles of the list see rows, once and for all', async () => {
    await run()
    await folder.write('migrations/0003_other.sql', 'create table millrace.other (id int);')
    await run()
    await database.query(`set role ${name}_b`)
    expect(await database.query('select id from millrace.thing order by id')).toEqual([{ id: 1 }, { id: 2 }])
    await database.query('reset role')
    await dropRoles()
  })

  test('L1 a table that gets a policy or row security is had before anything is changed', async () => {
    await folder.write(
      'migrations/0002_second_thing.sql',
      `${SECOND}create table millrace.other (); create table millrace.bare (); create table millrace.untouched ();`,
    )
    await run()
    await database.query('alter table millrace.bare disable row level security; create table public.gate ()')
    await folder.write(
      'migrations/0003_note.sql',
      'lock table public.gate; alter table millrace.thing add column note text;',
    )
    await folder.write(
      'grants.sql',
      `${grantsFile(name)}create policy a_reads on millrace.other for select to ${name}_a using (true);
       create policy nobody_reads on millrace.untouched for select to millrace_nobody_has_this using (true);`,
    )
    const holder = await database.connect()
    await holder.query('begin; lock table public.gate')
    const migrated = run()
    await until('the migrator waits in its first statement', async () => {
      const waiting = await database.query(
        `select from pg_locks where not granted and relation = 'public.gate'::regclass`,
      )
      return waiting.length > 0
    })
    const locked = await database.query(
      `select c.relname as name from pg_locks l join pg_class c on c.oid = l.relation
        where l.granted and l.mode = 'AccessExclusiveLock' and c.relnamespace = 'millrace'::regnamespace order by 1`,
    )
    await holder.query('commit')
    expect(await migrated).toMatchObject({ applied: ['0003_note.sql'], functions: 1 })
    expect(locked).toEqual([{ name: 'bare' }, { name: 'other' }, { name: 'thing' }])
    await dropRoles()
  })

  test.each([
    ['grants.sql', 'grant select on millrace.thing to public;'],
    ['grants.sql', 'grant select on millrace.thing to millrace_x, anon;'],
    ['grants.sql', 'drop table millrace.thing;'],
    ['roles.sql', 'create role millrace_x superuser;'],
    ['roles.sql', 'drop role postgres;'],
  ])('%s may not hold %s', async (file, text) => {
    await folder.write(file, text)
    await expect(run()).rejects.toMatchObject({ code: 'sql_file_invalid', fields: { file } })
    expect(await schemaExists()).toBe(false)
    if (file === 'grants.sql') await dropRoles()
  })
})

const rolesFile = (name: string): string => `-- Two roles; b may do what a may.
create role ${name}_a nologin;
create role ${name}_b nologin;
grant ${name}_a to ${name}_b;
alter role ${name}_a set statement_timeout = '7s';
`

const grantsFile = (name: string): string => `
grant usage on schema millrace to ${name}_a;
grant select on millrace.thing to ${name}_a;
grant execute on function millrace.count_things to ${name}_a;
grant delete on millrace.thing to millrace_nobody_has_this;
create policy a_reads on millrace.thing for select to ${name}_a using (true);
`

async function rightsOf(role: string): Promise<unknown> {
  const [rights] = await database.query(
    `select has_function_privilege($1, 'millrace.count_things()', 'execute') as calls,
            has_schema_privilege($1, 'millrace', 'usage') and has_table_privilege($1, 'millrace.thing', 'select') as reads,
            has_table_privilege($1, 'millrace.thing', 'insert, update, delete, truncate') as writes`,
    [role],
  )
  return rights
}

async function databaseName(): Promise<string> {
  const rows = await database.query<{ name: string }>('select current_database() as name')
  return rows[0]?.name ?? ''
}

/** A client whose role may nothing but connect. */
async function connectLimited(): Promise<{ client: pg.Client; role: string }> {
  const role = `limited_${randomBytes(4).toString('hex')}`
  await database.query(`create role ${role}`)
  const client = await database.connect()
  await client.query(`set role ${role}`)
  return { client, role }
}

async function dropLimited(client: pg.Client, role: string): Promise<void> {
  await client.end()
  await database.query(`drop owned by ${role} cascade; drop role ${role}`)
}
