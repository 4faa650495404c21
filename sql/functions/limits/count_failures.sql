-- Counts what failed for the breakers that hold for it, given the holds of all that the caller gives back, before it gives them back (see
-- release_limits): so the states of both are locked once, in the order of their ids. A breaker opens for its cooldown once as many as its rule
-- says failed within its window, and opens again when its probe fails (it is among failed_holds). Others that began before it
-- opened count no more.
create or replace function millrace.count_failures(
  run_ids uuid[], step_ids int[], item_values jsonb[], failed_holds bigint[], given_back bigint[], at timestamptz)
returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  rule_ids int[];
  keys text[];
  counts int[];
  last_runs uuid[];
  state_ids bigint[];
  counted record;
  recent timestamptz[];
  until timestamptz;
begin
  if not exists (select from limited_step l join limit_rule k on k.id = l.rule_id where l.step_id = any (step_ids) and k.kind = 'breaker') then
    return;
  end if;
  with asked as (
    select k.id as rule_id, composed_key(k.key_paths, u.input, g.item_value, u.tenant) as key, g.run_id, g.n
      from unnest(run_ids, step_ids, item_values) with ordinality g(run_id, step_id, item_value, n)
      join limited_step l on l.step_id = g.step_id join limit_rule k on k.id = l.rule_id and k.kind = 'breaker'
      join run u on u.id = g.run_id
  )
  select array_agg(c.rule_id), array_agg(c.key), array_agg(c.count), array_agg(c.last_run) into rule_ids, keys, counts, last_runs
    from (select a.rule_id, a.key, count(*)::int as count, (array_agg(a.run_id order by a.n desc))[1] as last_run from asked a group by 1, 2 order by 1, 2) c;
  state_ids := find_limit_states(rule_ids, keys, true, at, given_back);
  perform lock_limit_states(array(select distinct i from unnest(state_ids || given_back) i order by i), true);

  for counted in
    select s.id, s.key, s.failed_at, s.open_until, s.probe_id, s.id = any (failed_holds) as is_probe, c.count, c.last_run,
           k.name, k.failures, make_interval(secs => k.window_ms / 1000) as span, make_interval(secs => k.cooldown_ms / 1000) as cooldown
      from unnest(state_ids, counts, last_runs) c(id, count, last_run)
      join limit_state s on s.id = any (array[c.id]) join limit_rule k on k.id = s.rule_id
  loop
    continue when counted.open_until is not null and not coalesce(counted.is_probe, false);
    recent := array(
      select f.at from (
        select f from unnest(counted.failed_at) f where f > at - counted.span
        union all select at from generate_series(1, least(counted.count, counted.failures))) f(at)
       order by f.at desc limit counted.failures);
    if counted.open_until is null and cardinality(recent) < counted.failures then
      update limit_state s set failed_at = array(select f from unnest(recent) f order by f), changed_at = at where s.id = counted.id;
      continue;
    end if;
    until := at + counted.cooldown;
    update limit_state s set failed_at = null, open_until = until, probe_id = null, changed_at = at where s.id = counted.id;
    perform time_waiters(array[counted.id], until);
    perform write_event(counted.last_run, 'limit.opened', jsonb_strip_nulls(jsonb_build_object(
      'limit', counted.name, 'key', nullif(counted.key, ''), 'until', until, 'probe', case when counted.is_probe then true end)));
  end loop;
end $$;
comment on function millrace.count_failures(uuid[], int[], jsonb[], bigint[], bigint[], timestamptz) is 'Counts failures for the breakers that hold for them, and opens those that have had enough.';
