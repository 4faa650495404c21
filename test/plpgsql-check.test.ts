// The static check of the PL/pgSQL functions, where Debian's plpgsql_check is installed.
import { existsSync } from 'node:fs'
import pg from 'pg'
import { expect, test } from 'vitest'
import { migrate } from '../src/db/migrate.ts'
import { startTestServer } from './test-server.ts'

const installation = '/usr/lib/postgresql/15'
const installed = existsSync(`${installation}/lib/plpgsql_check.so`)

test.skipIf(!installed)(
  'plpgsql_check finds nothing in any function',
  async () => {
    const server = await startTestServer({ binaries: installation })
    const client = new pg.Client(server.url)
    try {
      await migrate({ connectionString: server.url })
      await client.connect()
      await client.query('create extension plpgsql_check')
      await client.query('set search_path = millrace, public')
      const { rows } = await client.query(
        `select f.proname, c.lineno, c.level, c.message, c.hint
           from pg_proc f join pg_language l on l.oid = f.prolang and l.lanname = 'plpgsql'
          cross join lateral plpgsql_check_function_tb(f.oid, 
            -- Against a table that calls it.
            case when f.prorettype = 'trigger'::regtype
              then coalesce((select min(t.tgrelid) from pg_trigger t where t.tgfoid = f.oid), 'millrace.run'::regclass) else 0 end, extra_warnings => true, performance_warnings => false) c
          where f.pronamespace = 'millrace'::regnamespace order by 1, 2`,
      )
      expect(rows).toEqual([])
    } finally {
      await client.end()
      await server.stop()
    }
  },
  60_000,
)
