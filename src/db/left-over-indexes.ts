// What a REINDEX CONCURRENTLY that was killed leaves behind: a second index, invalid, that each write keeps up to date for nobody.
import type pg from 'pg'
import type { Caller } from './call.ts'
import { sqlState } from './database-error.ts'

export interface LeftOverIndex {
  /** With its schema, quoted where it must be. */
  readonly name: string
  readonly table: string
  /** Somebody works on its table in this moment: perhaps the very rebuild to which it belongs. */
  readonly busy: boolean
}

/** The left-over indexes of our tables, and of the tables that hold their long values. */
export function listLeftOverIndexes(caller: Caller): Promise<LeftOverIndex[]> {
  return caller.call<LeftOverIndex>(
    {
      name: 'millrace_list_left_over_indexes',
      text: `select format('%I.%I', n.nspname, c.relname) as name, coalesce(o.relname, t.relname)::text as table,
          exists (select from pg_locks l where l.database = (select oid from pg_database where datname = current_database())
                     and l.relation = t.oid and l.mode = 'ShareUpdateExclusiveLock' and l.granted) as busy
        from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
        join pg_class t on t.oid = i.indrelid left join pg_class o on o.reltoastrelid = t.oid and t.relkind = 't'
        join pg_namespace s on s.oid = coalesce(o.relnamespace, t.relnamespace)
       where s.nspname = 'millrace' and not i.indisvalid and c.relname ~ '_cc(new|old)[0-9]*$' order by 1`,
    },
    [],
  )
}

/**
 * Drops left-over indexes, as PostgreSQL's manual says, and answers with those that are gone. It holds up no reader and no writer. What
 * is busy, or locked for longer than `lockTimeoutMs`, stays for the next time; `log` is told.
 */
export async function dropLeftOverIndexes(
  client: pg.ClientBase,
  found: readonly LeftOverIndex[],
  { log, lockTimeoutMs }: { readonly log: (line: string) => void; readonly lockTimeoutMs: number },
): Promise<string[]> {
  const dropped: string[] = []
  for (const { name, table, busy } of found) {
    if (busy) {
      log(`Left the index ${name} where it is: somebody works on table ${table}.`)
      continue
    }
    try {
      await client.query("select set_config('lock_timeout', $1, false)", [String(lockTimeoutMs)])
      // Concurrently, so outside of a transaction.
      await client.query(`drop index concurrently if exists ${name}`)
      dropped.push(name)
      log(`Dropped the index ${name}, which a rebuild that was killed had left behind.`)
    } catch (error) {
      if (sqlState(error) === undefined) throw error
      log(`Could not drop the index ${name}: ${(error as Error).message}.`)
    } finally {
      await client.query('reset lock_timeout').catch(() => {})
    }
  }
  return dropped
}
