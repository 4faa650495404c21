// Every row of a database of Millrace as text, and back into an empty one of the same release.
import type pg from 'pg'

/** The rows of one table: each as PostgreSQL writes a row, so that nothing is lost on the way. */
interface TableRows {
  readonly table: string
  readonly rows: readonly string[]
}

export interface DatabaseRows {
  readonly tables: readonly TableRows[]
  /** Where each sequence stands. */
  readonly sequences: readonly { readonly sequence: string; readonly value: string }[]
  /** What Millrace has put on tables of users: functions, then triggers. */
  readonly additions: readonly string[]
}

/** What the migrator writes itself. */
const recordTables = ['millrace.migration', 'millrace.function_set']

/** Functions that no file brings, and triggers outside the schema: those of watched tables. */
const additions = `
  select pg_get_functiondef(p.oid) as text, 0 as place from pg_proc p
   where p.pronamespace = 'millrace'::regnamespace and p.proname = any ($1)
  union all
  select pg_get_triggerdef(t.oid), 1 from pg_trigger t join pg_class c on c.oid = t.tgrelid
   where not t.tgisinternal and c.relnamespace <> 'millrace'::regnamespace
   order by place, text`

/** Reads all tables of Millrace and of a user's schema, and what Millrace has put on the latter. */
export async function readRows(
  client: pg.ClientBase,
  schema: string,
  known: readonly string[],
): Promise<DatabaseRows> {
  const tables: TableRows[] = []
  for (const table of await tablesOf(client, schema)) {
    const { rows } = await client.query<{ text: string }>(`select t::text as text from ${table} t order by 1`)
    if (rows.length > 0) tables.push({ table, rows: rows.map(({ text }) => text) })
  }
  const { rows: sequences } = await client.query<{ sequence: string; value: string }>(
    `select format('%I.%I', schemaname, sequencename) as sequence, last_value::text as value
       from pg_sequences where schemaname = any ($1) and last_value is not null order by 1`,
    [['millrace', schema]],
  )
  const { rows: functions } = await client.query<{ name: string }>(
    `select proname::text as name from pg_proc where pronamespace = 'millrace'::regnamespace`,
  )
  const unknown = functions.map(({ name }) => name).filter((name) => !known.includes(name))
  const { rows: added } = await client.query<{ text: string }>(additions, [unknown])
  return { tables, sequences, additions: added.map(({ text }) => text) }
}

/** Puts the rows in the place of whatever the migrator has left. No trigger and no foreign key is asked: they hold already. */
export async function writeRows(client: pg.ClientBase, database: DatabaseRows): Promise<void> {
  await client.query('begin; set local session_replication_role = replica')
  const guards = await guardsOf(client)
  for (const { table, name } of guards) await client.query(`alter table ${table} disable trigger ${name}`)
  await client.query(`truncate ${(await tablesOf(client, 'millrace')).join(', ')}`)
  for (const { table, rows } of database.tables) {
    const columns = await columnsOf(client, table)
    await client.query(
      `insert into ${table} (${columns.join(', ')}) overriding system value
       select ${columns.map((column) => `(r).${column}`).join(', ')} from unnest($1::${table}[]) r`,
      [rows],
    )
  }
  for (const { sequence, value } of database.sequences)
    await client.query('select setval($1, $2)', [sequence, value])
  for (const { table, name } of guards)
    await client.query(`alter table ${table} enable always trigger ${name}`)
  for (const text of database.additions) await client.query(text)
  await makeHome(client)
  await client.query('commit')
}

/** It stands for the database that was kept, not for a copy of it, in which nothing would run; releases before 0035 know no difference. */
async function makeHome(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query("select to_regproc('millrace.this_database') is not null as known")
  if (rows[0]?.known === true)
    await client.query(
      "update millrace.setting set value = to_jsonb(millrace.this_database()) where name = 'home'",
    )
}

/** Triggers that are asked even so: those that keep the audit trail from being changed. */
async function guardsOf(client: pg.ClientBase): Promise<{ table: string; name: string }[]> {
  const { rows } = await client.query<{ table: string; name: string }>(
    `select t.tgrelid::regclass::text as table, quote_ident(t.tgname) as name from pg_trigger t join pg_class c on c.oid = t.tgrelid
      where t.tgenabled = 'A' and c.relnamespace = 'millrace'::regnamespace`,
  )
  return rows
}

async function tablesOf(client: pg.ClientBase, schema: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = any ($1) and c.relkind in ('r', 'p') and not c.relispartition order by 1`,
    [['millrace', schema]],
  )
  return rows.map(({ name }) => name).filter((name) => !recordTables.includes(name))
}

/** Without those that are computed. */
async function columnsOf(client: pg.ClientBase, table: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select quote_ident(attname) as name from pg_attribute
      where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = '' order by attnum`,
    [table],
  )
  return rows.map(({ name }) => name)
}
