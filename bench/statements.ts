// Where the server's time went: pg_stat_statements and pg_stat_user_functions of one database, as text.
import type pg from 'pg'

/** What the server must be started with for the two views to tell of statements inside functions. */
export const statementSettings = {
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.track': 'all',
  'pg_stat_statements.max': '10000',
  track_functions: 'all',
}

interface StatementRow {
  calls: number
  total: number
  mean: number
  rows: number
  query: string
}

interface FunctionRow {
  name: string
  calls: number
  total: number
  own: number
}

export async function readStatements(pool: pg.Pool): Promise<string> {
  await pool.query('create extension if not exists pg_stat_statements')
  const statements = await pool.query<StatementRow>(
    `select s.calls, s.total_exec_time as total, s.mean_exec_time as mean, s.rows, s.query
       from pg_stat_statements s
      where s.dbid = (select oid from pg_database where datname = current_database())
      order by s.total_exec_time desc limit 25`,
  )
  const functions = await pool.query<FunctionRow>(
    `select funcname as name, calls, total_time as total, self_time as own
       from pg_stat_user_functions order by self_time desc limit 15`,
  )
  return [
    'function                        calls   total ms     own ms',
    ...functions.rows.map(
      ({ name, calls, total, own }) =>
        `${name.padEnd(26)} ${String(calls).padStart(10)} ${total.toFixed(0).padStart(10)} ${own.toFixed(0).padStart(10)}`,
    ),
    '  total ms      calls    mean ms       rows  statement',
    ...statements.rows.map(
      ({ calls, total, mean, rows, query }) =>
        `${total.toFixed(0).padStart(10)} ${String(calls).padStart(10)} ${mean.toFixed(3).padStart(10)} ${String(rows).padStart(10)}  ${query.replace(/\s+/g, ' ').slice(0, 110)}`,
    ),
  ].join('\n')
}
