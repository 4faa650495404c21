-- Judges the tasks under a rule of strict order which have come since the last time, the oldest thousand of all handlers that it holds for: of each key
-- the first one takes the place at the head, where it is free, and goes to where claims look; the others wait behind. One claim at a time does this for
-- a rule, so that no later task is judged before an earlier one; what somebody else has locked keeps all of its key waiting for the next time.
-- What no live worker serves is not waited behind.
--
-- Whoever has the place at the head keeps it as the rule says, and is let through whenever it comes back. What is not under the rule only gets its key.
-- True where anything was locked.
--
-- Who holds states already, or seats of them, is not patient: it waits for none, and what lies under a state that can't be had at once waits for the next time.
-- The order of locks is that of the ids over all rules, and the states of one rule lie among those of others.
create or replace function millrace.line_up(rule_id int, at timestamptz, also_served int, patient boolean) returns boolean
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  rule limit_rule;
  ids bigint[];
  locked boolean[];
  is_under boolean[];
  keys text[];
  turn_keys text[];
  states bigint[];
  served int[];
  marked int;
begin
  if not pg_try_advisory_xact_lock(77428, line_up.rule_id) then
    return false;
  end if;
  select k.* into rule from limit_rule k where k.id = line_up.rule_id;
  served := served_handlers(at) || also_served;
  select array_agg(s.id order by s.ready_at, s.id), array_agg(s.locked order by s.ready_at, s.id), array_agg(s.key is not null order by s.ready_at, s.id),
         array_agg(s.key order by s.ready_at, s.id), array_agg(s.turn_key order by s.ready_at, s.id)
    into ids, locked, is_under, keys, turn_keys
    from (select o.id, o.ready_at, x.locked is not null as locked,
                 case when l.step_id is not null then limit_key(rule.key_paths, rule.input_path, u.input, o.item_value, u.tenant) end as key,
                 coalesce((select limit_key(k.key_paths, k.input_path, u.input, o.item_value, u.tenant)
                             from limited_step f join limit_rule k on k.id = f.rule_id and k.kind = 'fairness' where f.step_id = o.step_id order by k.id limit 1), '') as turn_key
            from (select c.* from (select distinct l.handler from limited_step l where l.rule_id = rule.id and l.handler = any (served)) h cross join generate_series(1, 9) p(priority)
                   cross join lateral (
                     select t.id, t.run_id, t.step_id, t.item_value, t.ready_at from task t
                      where t.handler = h.handler and (t.priority, t.id) > (p.priority::smallint, 0::bigint) and t.priority <= p.priority::smallint
                        and t.worker_id is null and t.turn_key is null
                      order by t.priority, t.id limit 1000) c
                   order by c.id limit 1000) o
            join run u on u.id = o.run_id
            left join limited_step l on l.step_id = o.step_id and l.rule_id = rule.id
            left join lateral (select true as locked from task t where t.id = o.id and t.worker_id is null and t.turn_key is null for no key update skip locked) x on true) s;
  if ids is null then
    return false;
  end if;
  states := find_limit_states(array(select rule.id from unnest(keys) k(key) where k.key is not null), array(select k.key from unnest(keys) k(key) where k.key is not null), patient, at);
  states := array(
    select s.id from lock_limit_states(array(select distinct s.id from unnest(states) s(id) where s.id is not null order by s.id), patient) s where s.id is not null);
  perform free_heads(states, at);

  with given as (
    select g.id, g.locked, g.is_under, g.turn_key, s.id as state_id, g.n
      from unnest(ids, locked, is_under, keys, turn_keys) with ordinality g(id, locked, is_under, key, turn_key, n)
      left join lateral (select o.id from limit_state o where g.is_under and o.rule_id = rule.id and o.key = g.key and o.id = any (states) limit 1) s on true
  ), judged as (
    select g.*, s.head_run, t.run_id, t.step_id, t.item,
           s.head_run = t.run_id and s.head_step = t.step_id and s.head_item = t.item as is_head,
           row_number() over (partition by g.state_id order by g.n) = 1 and s.head_run is null and s.used = 0
             and (select true from waiting_task w where s.waiting and w.limit_state_id = s.id and not w.paused and w.handler = any (served) limit 1) is null as is_first
      from given g join task t on t.id = any (array[g.id]) left join limit_state s on s.id = any (array[g.state_id])
     where g.locked and (not g.is_under or g.state_id is not null and not exists (select from given o where o.state_id = g.state_id and not o.locked))
  ), headed as (
    update limit_state s set head_run = j.run_id, head_step = j.step_id, head_item = j.item, head_since = at, changed_at = at
      from judged j where j.is_first and s.id = any (array[j.state_id])
  ), moved as (
    update task t set turn_key = j.turn_key, holds = case when j.is_under then coalesce(t.holds, '{}') else t.holds end
      from judged j where (not j.is_under or j.is_first or j.is_head) and t.id = any (array[j.id])
    returning t.id
  ), removed as (
    delete from task t using judged j where j.is_under and not coalesce(j.is_first, false) and not coalesce(j.is_head, false) and t.id = any (array[j.id])
    returning t.*, j.state_id, j.turn_key as next_turn
  ), queued as (
    insert into waiting_task (handler, priority, run_id, step_id, item, item_value, attempt, failures, reason, queued_at, limit_state_id, holds, turn_key)
    select r.handler, r.priority, r.run_id, r.step_id, r.item, r.item_value, r.attempt, r.failures, 'limit', r.ready_at, r.state_id, '{}', r.next_turn
      from removed r order by r.ready_at, r.id
  ), told as (
    insert into event (run_id, at, actor, kind, step, item, attempt, detail)
    select r.run_id, at, 'limit', 'limit.waited', d.step, r.item, r.attempt + 1, jsonb_build_object('limit', rule.name, 'key', left(s.key, 200))
      from removed r join step_definition d on d.id = r.step_id join limit_state s on s.id = any (array[r.state_id])
     where r.holds is null
  )
  select count(*) into marked from moved;
  update limit_state s set waiting = true, looked_at = at
   where s.id = any (states) and not s.waiting and (select true from waiting_task w where w.limit_state_id = s.id limit 1) is not null;
  perform call_waiters(array(select distinct s.id from limit_state s where s.id = any (states) and s.waiting order by s.id), at);
  if marked > 0 then
    perform wake_workers(false);
  end if;
  return true;
end $$;
comment on function millrace.line_up(int, timestamptz, int, boolean) is 'Judges the tasks under a rule of strict order which have come since the last time.';
