// A scheduler that tests turn: it evaluates what is due at the database's time, on a connection of its own or on the pool of the test.
import type pg from 'pg'
import { poolCaller } from '../src/db/call.ts'
import { scheduleTasks } from '../src/triggers/schedules.ts'
import type { Sql } from './protocol.ts'

const turnsMost = 1_000

/** Works off what is due of schedules until there is no more; what it meets others at is left to them. */
export function schedulerOn(pool: pg.Pool): () => Promise<void> {
  const tasks = scheduleTasks(poolCaller(pool, { prepare: false, database: 'the test database' }))
  return async () => {
    for (const [, task] of tasks) for (let turn = 0; turn < turnsMost && (await task()); turn++);
  }
}

export interface FiringRow extends pg.QueryResultRow {
  readonly name: string
  readonly at: number
  readonly slots: number
  readonly kind: string
  readonly state: string
  readonly reason: string | null
  readonly refusal: string | null
  readonly run_id: string | null
  readonly error: { readonly code: string; readonly message: string } | null
}

/** The firings of schedules in the order of their slots, in seconds since a time. */
export function firingsOf(sql: Sql, like: string, since: Date): Promise<FiringRow[]> {
  return sql.query<FiringRow>(
    `select s.name, extract(epoch from f.slot_at - $2)::float8 as at, f.slots, f.kind, f.state, f.reason, f.refusal, f.run_id, f.error
       from millrace.firing f join millrace.schedule s on s.id = f.schedule_id where s.name like $1 order by s.name, f.slot_at, f.id`,
    [like, since],
  )
}

export async function defineSchedule(
  sql: Sql,
  name: string,
  slug: string,
  settings: object,
  revision: number | null = null,
): Promise<number> {
  const [row] = await sql.query<{ revision: number }>(
    'select millrace.define_schedule($1, $2, $3::jsonb, expected_revision => $4) as revision',
    [name, slug, JSON.stringify(settings), revision],
  )
  return row!.revision
}
