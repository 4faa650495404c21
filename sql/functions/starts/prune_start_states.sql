-- Removes what rules on starts know of keys that say nothing any more: their last start lies more than an hour back and beyond the rule's window,
-- no run of theirs is live, and nothing of theirs is counted as waiting.
create or replace function millrace.prune_start_states(batch int, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  delete from start_ticket t
   where ctid = any (array(select o.ctid from start_ticket o
                            where not exists (select from run r where r.id = o.run_id and r.state = 'pending') limit batch));
  delete from start_state s
   where s.id = any (array(
     select o.id from start_state o left join start_rule k on k.id = o.rule_id
      where o.changed_at < at - interval '1 hour'
        and (k.id is null or (coalesce(o.times[cardinality(o.times)] + make_interval(secs => k.per_ms / 1000) < at, true)
                              and not exists (select from run r where r.id = o.run_id and r.finished_at is null)
                              and not exists (select from start_ticket t where t.state_id = o.id)))
      limit batch for update of o skip locked));
end $$;
comment on function millrace.prune_start_states(int, timestamptz) is 'Removes what rules on starts know of keys that say nothing any more.';
