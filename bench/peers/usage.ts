// What a turn costs besides time: processor seconds of clients and servers, commits, statements, bytes of log.
import fs from 'node:fs'
import type pg from 'pg'

/** Linux counts processor time in hundredths of a second. */
const ticksPerSecond = 100

/** The processor time of a process, its children, and those of them that ended; 0 where the system does not tell. */
export function treeCpuSeconds(processId: number | undefined): number {
  if (processId === undefined || !fs.existsSync('/proc/self/stat')) return 0
  const own = statOf(processId)
  if (own === undefined) return 0
  const children = childrenOf(processId).map((child) => statOf(child)?.livingTicks ?? 0)
  return (own.livingTicks + own.endedTicks + children.reduce((sum, ticks) => sum + ticks, 0)) / ticksPerSecond
}

interface Stat {
  readonly parent: number
  readonly livingTicks: number
  /** Of children that ended and were waited for. */
  readonly endedTicks: number
}

function statOf(processId: number): Stat | undefined {
  try {
    const text = fs.readFileSync(`/proc/${processId}/stat`, 'utf8')
    // The name stands in brackets and may hold anything; the numbers follow.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    const [, parent = 0] = fields
    const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11)
    return { parent, livingTicks: user + system, endedTicks: endedUser + endedSystem }
  } catch {
    // It ended between the list and the look.
    return undefined
  }
}

function childrenOf(processId: number): number[] {
  return fs
    .readdirSync('/proc')
    .map(Number)
    .filter((other) => Number.isInteger(other) && statOf(other)?.parent === processId)
}

/** Where the log ends: bytes since the server was made. */
export async function logPosition(postgres: pg.Client): Promise<number> {
  const { rows } = await postgres.query<{ bytes: string }>(
    `select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') as bytes`,
  )
  return Number(rows[0]?.bytes)
}

/**
 * Transactions that wrote, between two places in the log: exact at once, where the server's statistics come up to ten seconds later, and without looks that
 * change nothing. Nothing where the log can't be read or is gone already.
 */
export async function commitsBetween(
  postgres: pg.Client,
  from: number,
  to: number,
): Promise<number | undefined> {
  try {
    await postgres.query('create extension if not exists pg_walinspect')
    const { rows } = await postgres.query<{ commits: string }>(
      `select coalesce(sum(count), 0) as commits
         from pg_get_wal_stats('0/0'::pg_lsn + $1::numeric, least('0/0'::pg_lsn + $2::numeric, pg_current_wal_flush_lsn()), true)
        where "resource_manager/record_type" in ('Transaction/COMMIT', 'Transaction/COMMIT_PREPARED')`,
      [from, to],
    )
    return Number(rows[0]?.commits)
  } catch {
    return undefined
  }
}

export async function statementsIn(postgres: pg.Client, database: string): Promise<number> {
  const { rows } = await postgres.query<{ calls: string }>(
    `select coalesce(sum(calls), 0) as calls
       from pg_stat_statements where dbid = (select oid from pg_database where datname = $1)`,
    [database],
  )
  return Number(rows[0]?.calls)
}

/** Counts the statements that clients send, not those inside functions; where the login may not say so, none are counted. */
export async function countStatements(postgres: pg.Client, counted: boolean): Promise<void> {
  await postgres.query(`alter system set pg_stat_statements.track = ${counted ? 'top' : 'none'}`)
  await postgres.query('select pg_reload_conf()')
}
