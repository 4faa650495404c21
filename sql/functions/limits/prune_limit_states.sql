-- Removes what limits count for keys that have been at rest for an hour: nothing is held or waits, and no time of theirs lies ahead. A claim that
-- has just found such a state finds it gone once it asks for its lock, and leaves the task for its next look (see count_limits, take_limits).
create or replace function millrace.prune_limit_states(batch int, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  seated_ids bigint[] := array(
    select e.state_id from limit_end e join limit_state s on s.id = e.state_id
     where e.seat = 1 and s.changed_at < at - interval '1 hour' and limit_used(s) = 0 limit batch);
begin
  -- Seats are locked before states (see count_ends).
  perform from limit_end e where e.state_id = any (seated_ids) order by e.state_id, e.seat for update;
  delete from limit_state s
   where s.id = any (array(
     select o.id from limit_state o left join limit_rule k on k.id = o.rule_id
      where limit_used(o) = 0 and not o.waiting and o.probe_id is null and o.changed_at < at - interval '1 hour' and keeps_head(o, k.fifo) is not true
        and (greatest(o.full_until, o.open_until, o.held_until) < at) is not false
        and (o.failed_at[cardinality(o.failed_at)] + make_interval(secs => k.window_ms / 1000) < at) is not false
        and (select true from waiting_task w where w.limit_state_id = o.id limit 1) is null
        and (o.folded is null or o.id = any (seated_ids))
      limit batch for update of o skip locked));
end $$;
comment on function millrace.prune_limit_states(int, timestamptz) is 'Removes what limits count for keys that have been at rest for an hour.';
