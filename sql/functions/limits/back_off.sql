-- Holds the limits of an attempt's step for all workers: none of its keys lets anything begin until the time has passed. Without a name, all its
-- rules of concurrency and rate; turns alone stop nobody. Answers held, lost where the attempt no longer holds its task, or unlimited where no such rule holds for it.
create or replace function millrace.back_off(
  worker_id uuid, lock_key int, task_id bigint, step_id int, attempt int, delay_ms float8, limit_name text default null)
returns text
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  held task := fence_attempt(back_off.worker_id, back_off.lock_key, back_off.task_id, back_off.step_id, back_off.attempt);
  until timestamptz := at + make_interval(secs => least(greatest(back_off.delay_ms, 0), 31536000000) / 1000);
  rule_ids int[];
  keys text[];
  state_ids bigint[];
begin
  if held.id is null then
    return 'lost';
  end if;
  select array_agg(k.id), array_agg(composed_key(k.key_paths, u.input, held.item_value, u.tenant)) into rule_ids, keys
    from limited_step l join limit_rule k on k.id = l.rule_id join run u on u.id = held.run_id
   where l.step_id = held.step_id and k.kind <> 'fairness' and (k.name = back_off.limit_name or (back_off.limit_name is null and k.kind <> 'breaker'));
  if rule_ids is null then
    return 'unlimited';
  end if;
  state_ids := array(select i from unnest(find_limit_states(rule_ids, keys, true, at)) i order by i);
  perform lock_limit_states(state_ids, true);
  update limit_state s set held_until = greatest(s.held_until, until), changed_at = at where s.id = any (state_ids);
  -- Not in a strict order: there whoever is first goes on by itself, or is called by the next sweep, and nobody leaves its place for it.
  perform time_waiters(array(select s.id from limit_state s join limit_rule k on k.id = s.rule_id where s.id = any (state_ids) and k.fifo is null order by s.id), until);
  return 'held';
end $$;
comment on function millrace.back_off(uuid, int, bigint, int, int, float8, text) is 'Holds the limits of an attempt''s step for all workers, for a time.';
