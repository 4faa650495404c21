// Limits as tests of the SQL functions define and look at them.
import type { Sql } from './protocol.ts'

export interface Target {
  slug?: string
  step?: string
  queue?: string
}

/** Defines a rule for a pipeline, or for the targets given; answers its revision. */
export async function defineLimit(
  sql: Sql,
  name: string,
  settings: Record<string, unknown>,
  targets: string | Target[],
  expectedRevision: number | null = null,
): Promise<number> {
  const [row] = await sql.query<{ revision: number }>(
    'select millrace.define_limit($1, $2, $3, expected_revision => $4) as revision',
    [
      name,
      JSON.stringify(settings),
      JSON.stringify(typeof targets === 'string' ? [{ slug: targets }] : targets),
      expectedRevision,
    ],
  )
  return row!.revision
}

/** The settings of a rule with a key that all inputs without a `k` share: who waits for it is taken out of the lanes, which a rule without keys needn't do. */
export const sharedKey = (capacity: number) => ({ kind: 'concurrency', capacity, key: [['k']] })

export interface LimitRow {
  key: string
  used: number
  waiting: number
}

/** What a rule counts for each key, and how many wait for it. */
export function limitsOf(sql: Sql, name: string): Promise<LimitRow[]> {
  return sql.query<LimitRow & Record<string, unknown>>(
    `select s.key, millrace.limit_used(s) as used, (select count(*)::int from millrace.waiting_task w where w.limit_state_id = s.id)
              + case when k.in_lanes and s.left_at is not null then millrace.count_in_lanes(k.id)::int else 0 end as waiting
       from millrace.limit_state s join millrace.limit_rule k on k.id = s.rule_id
      where k.name = $1 order by s.key collate "C"`,
    [name],
  )
}

/** Where a count differs from the held tasks that name it: empty, always. */
export function miscounted(sql: Sql): Promise<Record<string, unknown>[]> {
  return sql.query(
    `with held as (
       select h.id, count(*)::int as count from millrace.task t cross join unnest(t.holds) h(id) where t.worker_id is not null group by 1
     )
     select k.name, s.key, millrace.limit_used(s) as used, coalesce(held.count, 0) as count, k.capacity
       from millrace.limit_state s join millrace.limit_rule k on k.id = s.rule_id left join held on held.id = s.id
      where k.kind = 'concurrency' and (millrace.limit_used(s) <> coalesce(held.count, 0) or millrace.limit_used(s) > k.capacity)`,
  )
}
