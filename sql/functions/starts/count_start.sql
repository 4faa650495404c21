-- Counts a start that all rules let pass: it is the run that takes in others, or the latest of its key, one more that waits, one more in the
-- window. Of the throttle that makes one later run of what goes beyond it, it is counted for the time at which it may begin.
create or replace function millrace.count_start(start_id uuid, state_ids bigint[], is_copy boolean, is_own boolean, due_at timestamptz, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_variable
begin
  with ruled as materialized (
    select s.id, k.name, k.kind, k.coalesces
      from unnest(state_ids) g(id)
     cross join lateral (select * from start_state s where s.id = g.id limit 1) s
     cross join lateral (select * from start_rule k where k.id = s.rule_id limit 1) k
     where (k.kind = 'latest' or not is_copy) and (k.kind <> 'debounce' or not is_own)
  ), counted as (
    update start_state s
       set run_id = case when k.kind = 'latest' or (k.coalesces and not is_own and due_at > at) then start_id else s.run_id end,
           first_at = case when k.coalesces and not is_own then at else s.first_at end,
           waiting = s.waiting + case when k.kind = 'waiting' then 1 else 0 end,
           times = case when k.kind = 'throttle' then
             (s.times || greatest(s.times[cardinality(s.times)], case when k.coalesces then due_at end, at))[greatest(cardinality(s.times) + 2 - 1000, 1):] else s.times end
      from ruled k
     where s.id = any (array[k.id])
  ), ticketed as (
    insert into start_ticket (state_id, run_id) select k.id, start_id from ruled k where k.kind = 'waiting' on conflict do nothing
  )
  insert into coalesced_start (run_id, rule, kind, first_at, last_at)
  select start_id, k.name, k.kind, at, at from ruled k where k.coalesces and not is_own and due_at > at
      on conflict do nothing;
end $$;
comment on function millrace.count_start(uuid, bigint[], boolean, boolean, timestamptz, timestamptz) is 'Counts a start that all rules let pass.';
