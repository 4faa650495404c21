// What may not be left in the database once all runs of the chaos have ended.
import type { Question } from './question.ts'

/** A state of a limit whose last waiter was cancelled is looked at again within this. */
const lookedAgainSeconds = 15

export const leftovers: readonly Question[] = [
  {
    claim: 'the next due time of nothing lies in the past, and no worker that is gone holds anything',
    offenders: `
      select 'task ' || t.id as thing from millrace.task t
      union all
      select 'waiting task ' || w.id || ' ' || w.reason from millrace.waiting_task w`,
  },
  {
    claim: 'nothing of what has ended is still waited for, counted down, or to be cancelled',
    offenders: `
      select 'wait ' || x.name || ' of ' || x.run_id as thing from millrace.wait x
      union all
      select 'wait for signal ' || n.name || ' of ' || n.run_id from millrace.wait_signal n
      union all
      select 'join of ' || j.run_id from millrace.join_state j
      union all
      select 'item of ' || m.run_id from millrace.map_item m
      union all
      select 'cancellation of ' || c.run_id from millrace.cancellation c`,
  },
  {
    // What lost its worker, or had its lock in a transaction, leaves the row to whoever asks next.
    claim: 'an attempt that ended by itself leaves neither a lock nor a claim on a cached value',
    offenders: `
      select 'lock ' || q.name || ' of ' || q.run_id || ' ' || d.step || ', attempt ' || q.attempt as thing
        from millrace.lock_request q join millrace.step_definition d on d.id = q.step_id
        join millrace.attempt a on a.run_id = q.run_id and a.step = d.step and a.item = q.item and a.attempt = q.attempt
       where a.outcome in ('completed', 'failed', 'parked') and a.writes is null
      union all
      select 'claim on ' || c.key || ' of ' || c.run_id || ' ' || d.step || ', attempt ' || c.attempt
        from millrace.cache_claim c join millrace.step_definition d on d.id = c.step_id
        join millrace.attempt a on a.run_id = c.run_id and a.step = d.step and a.attempt = c.attempt
       where a.outcome in ('completed', 'failed', 'parked')`,
  },
  {
    claim: 'I8 nobody is said to wait for a limit where nobody does',
    offenders: `
      select k.name || ' ' || s.key as thing from millrace.limit_state s join millrace.limit_rule k on k.id = s.rule_id
       where s.waiting and s.changed_at < (select max(w.heartbeat_at) from millrace.worker w) - interval '${lookedAgainSeconds} seconds'`,
  },
]
