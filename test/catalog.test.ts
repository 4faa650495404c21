// What the catalog of a migrated database must show, whatever its migrations hold: each rule is kept, and finds the
// offence that it was made for.
import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { migrate } from '../src/db/migrate.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { createEmptyDatabase } from './empty-database.ts'

interface Rule {
  claim: string
  /** Answers with the names of what breaks the rule. */
  offenders: string
  /** Breaks it. */
  offence: string
}

const rules: Rule[] = [
  {
    claim: 'PP-S3 every table has row security on',
    offenders: `
      select oid::regclass as name from pg_class
      where relnamespace = 'millrace'::regnamespace and relkind in ('r', 'p') and not relrowsecurity`,
    offence: 'create table millrace.open_table (id int)',
  },
  {
    claim:
      'PP-S3 no table, view or sequence grants anything to public, or to a role that is not one of Millrace',
    offenders: `
      select c.oid::regclass as name from pg_class c cross join aclexplode(c.relacl) a
      where c.relnamespace = 'millrace'::regnamespace and a.grantee <> c.relowner
        and (a.grantee = 0 or a.grantee::regrole::text !~ '^millrace_')`,
    offence: 'grant select on millrace.run to public',
  },
  {
    claim: 'PP-S3 no column grants anything to public, or to a role that is not one of Millrace',
    offenders: `
      select t.attrelid::regclass as name
      from pg_attribute t join pg_class c on c.oid = t.attrelid cross join aclexplode(t.attacl) a
      where c.relnamespace = 'millrace'::regnamespace
        and (a.grantee = 0 or a.grantee::regrole::text !~ '^millrace_')`,
    offence: 'grant update (input) on millrace.run to public',
  },
  {
    claim: 'PP-S3 the schema is open to the roles of Millrace alone',
    offenders: `
      select n.nspname as name from pg_namespace n cross join aclexplode(n.nspacl) a
      where n.nspname = 'millrace' and a.grantee <> n.nspowner
        and (a.grantee = 0 or a.grantee::regrole::text !~ '^millrace_')`,
    offence: 'grant usage on schema millrace to public',
  },
  {
    claim: 'PP-S3 every table that a role may read has a policy for it, else the role would see it empty',
    offenders: `
      select c.oid::regclass as name from pg_class c cross join aclexplode(c.relacl) a
      where c.relnamespace = 'millrace'::regnamespace and c.relkind in ('r', 'p') and a.grantee <> c.relowner
        and not exists (select from pg_policy p where p.polrelid = c.oid and a.grantee = any (p.polroles))`,
    offence: `
      create table millrace.unseen (id int);
      grant select on millrace.unseen to millrace_viewer`,
  },
  {
    claim: 'every foreign key has an index that begins with its columns',
    offenders: `
      select k.conname as name from pg_constraint k
      where k.connamespace = 'millrace'::regnamespace and k.contype = 'f' and k.conparentid = 0
        and not exists (
          select from pg_index i
          where i.indrelid = k.conrelid and i.indisvalid
            and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)`,
    offence: 'create table millrace.slow (slug text references millrace.pipeline)',
  },
  {
    claim: 'PP-S3 no function may be called by public, or by a role that is not one of Millrace',
    offenders: `
      select p.proname as name
      from pg_proc p cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
      where p.pronamespace = 'millrace'::regnamespace and a.grantee <> p.proowner
        and (a.grantee = 0 or a.grantee::regrole::text !~ '^millrace_')`,
    offence: 'create function millrace.leak() returns int language sql return 1',
  },
  {
    // Not now(), which only in test databases has these rights, nor what row triggers fire.
    claim: 'every function with the rights of its owner is on the list of grants, else nobody could call it',
    offenders: `
      select p.proname as name from pg_proc p
      where p.pronamespace = 'millrace'::regnamespace and p.prosecdef and p.proname <> 'now'
        and p.prorettype <> 'trigger'::regtype
        and not exists (select from aclexplode(p.proacl) a where a.grantee <> p.proowner)`,
    offence: `
      create function millrace.forgotten() returns int language sql security definer
        set search_path = millrace, pg_temp return 1;
      revoke all on function millrace.forgotten from public`,
  },
  {
    claim:
      "FO-13 a row trigger's function is granted to nobody: whoever may hang one on a table of their own makes up what it records",
    offenders: `
      select p.proname as name
      from pg_proc p cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
      where p.pronamespace = 'millrace'::regnamespace and p.prorettype = 'trigger'::regtype and a.grantee <> p.proowner`,
    offence: 'grant execute on function millrace.audit_row to millrace_admin',
  },
  {
    claim: 'a function with the rights of its owner looks for names in millrace, and only last in pg_temp',
    offenders: `
      select p.proname as name from pg_proc p
      where p.pronamespace = 'millrace'::regnamespace and p.prosecdef
        and not coalesce(p.proconfig, '{}') @> array['search_path=millrace, pg_temp']`,
    offence: 'create function millrace.leak() returns int language sql security definer return 1',
  },
  {
    claim: 'no function has a second form with other arguments',
    offenders: `
      select p.proname as name from pg_proc p
      where p.pronamespace = 'millrace'::regnamespace group by p.proname having count(*) > 1`,
    offence: 'create function millrace.now(n int) returns int language sql return 1',
  },
  {
    claim: 'no default, index or constraint calls a function of ours that a later apply may have to drop',
    offenders: `
      select p.proname as name
      from pg_depend d join pg_proc p on p.oid = d.refobjid and d.refclassid = 'pg_proc'::regclass
      where p.pronamespace = 'millrace'::regnamespace
        and d.classid in ('pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_class'::regclass)`,
    offence: 'create table millrace.held (at timestamptz default millrace.now())',
  },
  {
    claim: 'JQ-9 every role bounds its statements',
    offenders: `
      select role as name from unnest(array['viewer', 'operator', 'worker', 'admin', 'tenant']) role
      where not exists (
        select from pg_roles
        where rolname = 'millrace_' || role and coalesce(rolconfig, '{}')::text ~ 'statement_timeout=[1-9]')`,
    offence: 'alter role millrace_worker reset statement_timeout',
  },
  {
    claim: 'no role may log in, or do anything to the cluster',
    offenders: `
      select rolname as name from pg_roles
      where rolname ~ '^millrace_(viewer|operator|worker|admin|trail|tenant|gateway)$'
        and (rolcanlogin or rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls)`,
    offence: 'alter role millrace_worker login',
  },
]

let database: TestDatabase
let client: pg.PoolClient
beforeAll(async () => {
  database = await createTestDatabase()
  client = await database.pool.connect()
})
afterAll(async () => {
  client.release()
  await database.close()
})

async function offendersOf(rule: Rule): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select distinct name::text from (${rule.offenders}) o order by 1`,
  )
  return rows.map(({ name }) => name)
}

function ruleOf(claim: string): Rule {
  const rule = rules.find((one) => one.claim === claim)
  if (rule === undefined) throw new Error(`There is no rule "${claim}".`)
  return rule
}

describe('in the catalog', () => {
  test.each(rules)('$claim', async (rule) => {
    expect(await offendersOf(rule)).toEqual([])
  })
})

describe('each rule finds the offence that it was made for', () => {
  test.each(rules)('$claim', async (rule) => {
    await client.query('begin')
    await client.query(rule.offence)
    const found = await offendersOf(rule)
    await client.query('rollback')
    expect(found).toHaveLength(1)
  })
})

test('PP-S3 a partition made later has row security as well', async () => {
  await client.query('select millrace.create_partitions(60)')
  expect(await offendersOf(ruleOf('PP-S3 every table has row security on'))).toEqual([])
})

describe('the migrations', () => {
  test('PP-D1 make the whole schema in an empty database, with every function, and the same one each time', async () => {
    const one = await createEmptyDatabase()
    const other = await createEmptyDatabase()
    await migrate({ connectionString: one.url })
    await migrate({ connectionString: other.url })
    const objects = await one.query<{ name: string }>(OBJECTS)
    expect(await other.query(OBJECTS)).toEqual(objects)
    expect(objects.map(({ name }) => name)).toEqual(expect.arrayContaining(functionsOfFolder()))
    await one.close()
    await other.close()
  })
})

function functionsOfFolder(): string[] {
  return readdirSync(fileURLToPath(new URL('../sql/functions', import.meta.url)), {
    recursive: true,
    encoding: 'utf8',
  })
    .filter((file) => file.endsWith('.sql'))
    .map((file) => `function ${basename(file, '.sql')}`)
}

const OBJECTS = `
  select 'function ' || proname as name from pg_proc where pronamespace = 'millrace'::regnamespace
  union all
  select format('column %s.%s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull)
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace = 'millrace'::regnamespace
  union all
  select format('constraint %s on %s: %s', conname, conrelid::regclass, pg_get_constraintdef(oid))
  from pg_constraint where connamespace = 'millrace'::regnamespace
  union all
  select format('index %s', pg_get_indexdef(indexrelid))
  from pg_index join pg_class c on c.oid = indrelid where c.relnamespace = 'millrace'::regnamespace
  union all
  select format('policy %s on %s', polname, polrelid::regclass)
  from pg_policy join pg_class c on c.oid = polrelid where c.relnamespace = 'millrace'::regnamespace
  order by 1`
