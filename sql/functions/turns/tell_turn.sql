-- The sentence on a ready task whose handler's tasks take turns: how many of its own key come before it, and after how many other keys the turn of its own
-- comes. At most ten thousand tasks are counted, and a thousand keys looked at on either side. Null where it takes no turns.
create or replace function millrace.tell_turn(task_id bigint, subject text) returns text
language plpgsql stable
set enable_seqscan = off set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
  told record;
  since_key text;
  keys text[];
  earlier_keys text[];
  ahead int;
  others int;
begin
  select t.handler, t.priority, t.turn_key, t.id, t.ready_at, k.name, coalesce((k.weights ->> t.turn_key)::int, k.default_weight) as weight into told
    from millrace.task t join millrace.limited_step l on l.step_id = t.step_id
    join millrace.limit_rule k on k.id = l.rule_id and k.kind = 'fairness'
   where t.id = tell_turn.task_id and t.worker_id is null and t.turn_key is not null order by k.id limit 1;
  if not found then
    return null;
  end if;
  since_key := coalesce((select c.turn_key from millrace.turn_cursor c where c.handler = told.handler and c.priority = told.priority order by c.seat limit 1), '');
  select count(*) into ahead
    from (select from millrace.task t
           where t.handler = told.handler and t.priority = told.priority and t.turn_key = told.turn_key and t.id < told.id and t.worker_id is null limit 10000) o;
  with recursive later as (
    (select t.turn_key from millrace.task t
      where t.handler = told.handler and t.priority = told.priority and t.turn_key > since_key and t.worker_id is null order by t.turn_key limit 1)
    union all
    select n.turn_key from later k
     cross join lateral (
       select t.turn_key from millrace.task t
        where t.handler = told.handler and t.priority = told.priority and t.turn_key > k.turn_key and t.worker_id is null order by t.turn_key limit 1) n
  )
  select array_agg(l.turn_key) into keys from (select k.turn_key from later k limit 1000) l;
  with recursive earlier as (
    (select t.turn_key from millrace.task t
      where t.handler = told.handler and t.priority = told.priority and t.turn_key >= '' and t.turn_key <= since_key and t.worker_id is null order by t.turn_key limit 1)
    union all
    select n.turn_key from earlier k
     cross join lateral (
       select t.turn_key from millrace.task t
        where t.handler = told.handler and t.priority = told.priority and t.turn_key > k.turn_key and t.turn_key <= since_key and t.worker_id is null
        order by t.turn_key limit 1) n
  )
  select array_agg(l.turn_key) into earlier_keys from (select k.turn_key from earlier k limit 1000) l;
  keys := keys || earlier_keys;
  others := array_position(keys, told.turn_key) - 1;
  return format('%s is ready since %s and takes turns by limit ''%s'': %s of ''%s'' come before it, at %s each turn, and %s.',
    subject, millrace.tell_time(told.ready_at), told.name, case when ahead = 0 then 'none' when ahead = 10000 then 'at least 10000' else ahead::text end,
    left(told.turn_key, 100), told.weight,
    case when others = 0 then 'its key is the next'
         else format('the turns of %s come first, that of ''%s'' next', case when others is null then 'many other keys' when others = 1 then 'one other key' else others || ' other keys' end, left(keys[1], 100)) end);
end $$;
comment on function millrace.tell_turn(bigint, text) is 'The sentence on a ready task whose handler''s tasks take turns.';
