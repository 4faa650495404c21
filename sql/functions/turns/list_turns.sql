-- The keys between which tasks take turns by a rule, those with most tasks first. At most a thousand keys of each handler and priority are looked at, and at
-- most ten thousand tasks of each counted.
create or replace function millrace.list_turns(rule_id int, most int) returns jsonb
language sql stable
set enable_seqscan = off set enable_bitmapscan = off
as $$
  with recursive lane as (
    select distinct l.handler, p.priority::smallint as priority
      from millrace.limited_step l cross join generate_series(1, 9) p(priority) where l.rule_id = list_turns.rule_id
  ), next_key as (
    select l.handler, l.priority, f.turn_key, 1 as n
      from lane l
     cross join lateral (
       select t.turn_key from millrace.task t
        where t.handler = l.handler and t.priority = l.priority and t.turn_key >= '' and t.worker_id is null order by t.turn_key limit 1) f
    union all
    select k.handler, k.priority, f.turn_key, k.n + 1
      from next_key k
     cross join lateral (
       select t.turn_key from millrace.task t
        where t.handler = k.handler and t.priority = k.priority and t.turn_key > k.turn_key and t.worker_id is null order by t.turn_key limit 1) f
     where k.n < 1000
  ), counted as (
    select k.turn_key, sum(c.count)::int as waiting
      from next_key k
     cross join lateral (
       select count(*) from (select from millrace.task t
                              where t.handler = k.handler and t.priority = k.priority and t.turn_key = k.turn_key and t.worker_id is null limit 10000) w) c
     group by k.turn_key
  )
  select coalesce(jsonb_agg(jsonb_build_object(
           'key', b.turn_key, 'used', 0, 'capacity', null, 'waiting', b.waiting, 'weight', b.weight,
           'full_until', null, 'open_until', null, 'held_until', null, 'head_run', null, 'head_step', null, 'head_since', null) order by b.waiting desc, b.turn_key), '[]')
    from (select c.turn_key, c.waiting, coalesce((k.weights ->> c.turn_key)::int, k.default_weight) as weight
            from counted c cross join (select * from millrace.limit_rule k where k.id = list_turns.rule_id) k
           order by c.waiting desc, c.turn_key limit greatest(0, least(list_turns.most, 1000))) b
$$;
comment on function millrace.list_turns(int, int) is 'The keys between which tasks take turns by a rule, those with most tasks first.';
