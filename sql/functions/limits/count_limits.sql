-- Counts what all these tasks take, a row for each task and rule with its state and, of a rate, the milliseconds that it takes up: if there is
-- room for all of it, nobody waits and nobody asked for quiet. False where it is not so, with nothing counted. The states are locked, and stay
-- so, in the order of their ids, for the reason that release_limits gives.
create or replace function millrace.count_limits(row_states bigint[], row_costs float8[], at timestamptz) returns boolean
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  ids bigint[];
  asked int[];
  costs float8[];
  fits boolean;
begin
  select array_agg(g.id), array_agg(g.count), array_agg(g.cost) into ids, asked, costs
    from (select u.id, count(*)::int as count, sum(u.cost) as cost from unnest(row_states, row_costs) u(id, cost) where u.id > 0 group by u.id order by u.id) g;
  with counted as (
    update limit_state s
       set changed_at = at, used = s.used + case when g.cost is null then g.count else 0 end,
           full_until = case when g.cost is not null then least(greatest(s.full_until, s.held_until, at), at + interval '100 years') + make_interval(secs => g.cost / 1000) end
      from unnest(ids, asked, costs) g(id, count, cost) where s.id = any (array[g.id])
    returning s.rule_id, s.used, s.waiting, s.full_until, s.held_until
  ), fullest as (
    select c.rule_id, max(c.used) as used, bool_or(c.waiting) as waiting, max(c.full_until) as full_until, max(c.held_until) as held_until from counted c group by 1
  )
  -- One that is missing was pruned meanwhile: what would be counted there would be lost.
  select (select count(*) from counted) = cardinality(ids) and coalesce(bool_and(case k.kind when 'concurrency' then f.used <= k.capacity when 'rate' then f.full_until <= at + make_interval(secs => k.burst * k.unit_ms / 1000)
                                       else false end and not f.waiting and (f.held_until > at) is not true), true) into fits
    from fullest f cross join lateral (select * from limit_rule k where k.id = f.rule_id limit 1) k;
  if fits is false then
    update limit_state s
       set used = s.used - case when g.cost is null then g.count else 0 end,
           full_until = s.full_until - make_interval(secs => coalesce(g.cost, 0) / 1000)
      from unnest(ids, asked, costs) g(id, count, cost) where s.id = any (array[g.id]);
  end if;
  return fits is not false;
end $$;
comment on function millrace.count_limits(bigint[], float8[], timestamptz) is 'Counts what tasks take of rules, if there is room for all of it.';
