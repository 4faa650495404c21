-- Keeps the list of the handlers whose claims look at the lanes of keys: who is under a rule stays, who has none any more leaves once its last task
-- with a key has. A start that was under way when the rule went may bring one later: then the handler comes back.
create or replace function millrace.look_after_turns() returns void
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
  insert into turn_handler (handler)
  with recursive found_handler as (
    (select t.handler from task t where t.worker_id is null and t.turn_key is not null order by t.handler limit 1)
    union all
    select n.handler from found_handler f
     cross join lateral (
       select t.handler from task t where t.handler > f.handler and t.worker_id is null and t.turn_key is not null order by t.handler limit 1) n
  )
  select f.handler from found_handler f where not exists (select from turn_handler o where o.handler = f.handler) order by f.handler
      on conflict do nothing;
  delete from turn_handler f
   where f.handler = any (array(
     select o.handler from turn_handler o
      where not exists (select from limited_step l join limit_rule k on k.id = l.rule_id where l.handler = o.handler and (k.kind = 'fairness' or k.fifo is not null))
        and not exists (select from task t where t.handler = o.handler and t.worker_id is null and t.turn_key is not null)
      for update of o skip locked));
end $$;
comment on function millrace.look_after_turns() is 'Keeps the list of the handlers whose claims look at the lanes of keys.';
