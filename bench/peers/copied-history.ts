// History of a peer whose tables are its own affair: copies of what it left of one task that it has really run.
import pg from 'pg'

export interface CopiedTable {
  readonly table: string
  /** Columns that must differ in each copy, as SQL over `past.id` (a new UUID of the task, the same in all tables) and `past.moment` (when it ended). */
  readonly changed: Readonly<Record<string, string>>
}

/** Copies all rows of those tables so many times; the peer must have run exactly one task. */
export async function copyHistory(
  postgresUrl: string,
  count: number,
  tables: readonly CopiedTable[],
): Promise<void> {
  const client = new pg.Client(postgresUrl)
  await client.connect()
  try {
    await client.query('begin')
    await client.query('set local session_replication_role = replica')
    await client.query(
      `create temporary table past on commit drop as
       select gen_random_uuid() as id, now() - interval '3 days' + n * (interval '2 days' / $1::int) as moment
         from generate_series(1, $1::int) n`,
      [count],
    )
    for (const { table, changed } of tables) await client.query(await copyOf(client, table, changed))
    await client.query('commit')
  } finally {
    await client.end()
  }
}

async function copyOf(client: pg.Client, table: string, changed: CopiedTable['changed']): Promise<string> {
  const { rows } = await client.query<{ name: string }>(
    `select attname as name from pg_attribute
      where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = '' order by attnum`,
    [table],
  )
  const names = rows.map(({ name }) => `"${name}"`)
  const values = rows.map(({ name }) => changed[name] ?? `model."${name}"`)
  return `insert into ${table} (${names.join(', ')}) select ${values.join(', ')} from ${table} model cross join past`
}
