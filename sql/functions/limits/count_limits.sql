-- Counts what tasks take: given are states in the order of their ids, how many tasks ask for each, the milliseconds that they take up of a rate, and
-- whether all of them were called. If there is room for all of it, nobody waits whom they would overtake and nobody asked for quiet: else false, with
-- nothing counted and nothing locked, so that what must be locked before the states can be (see lock_limit_states). The states stay locked, in the order
-- of their ids, for the reason that release_limits gives.
--
-- Ends that lie in seats are taken off meanwhile (see count_ends). The snapshot may be older than the lock, and so miss some: then more are counted
-- than there are, never fewer.
create or replace function millrace.count_limits(state_ids bigint[], counts int[], costs float8[], at timestamptz, called boolean[] default null) returns boolean
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  fits boolean;
begin
  begin
    with counted as (
      update limit_state s
         set changed_at = at,
             used = s.used + case when g.cost is null then g.count else 0 end - case when s.folded is null then 0 else greatest(ended_of(s.id) - s.folded, 0)::int end,
             folded = greatest(s.folded, case when s.folded is not null then ended_of(s.id) end),
             full_until = case when g.cost is not null then least(greatest(s.full_until, s.held_until, at), at + interval '100 years') + make_interval(secs => g.cost / 1000) end
        from unnest(state_ids, counts, costs, count_limits.called) g(id, count, cost, called) where s.id = any (array[g.id])
      returning s.id, s.rule_id, s.used, s.waiting and not coalesce(g.called, false) as overtaken, s.full_until, s.held_until
    ), fullest as (
      select c.rule_id, max(c.used) as used, bool_or(c.overtaken) as overtaken, max(c.full_until) as full_until, max(c.held_until) as held_until from counted c group by 1
    )
    -- One that is missing was pruned meanwhile: what would be counted there would be lost.
    select (select count(*) from counted) = cardinality(state_ids)
           and coalesce(bool_and(case k.kind when 'concurrency' then f.used <= k.capacity when 'rate' then f.full_until <= at + make_interval(secs => k.burst * k.unit_ms / 1000)
                                 else false end and not f.overtaken and (f.held_until > at) is not true), true)
      into fits
      from fullest f cross join lateral (select * from limit_rule k where k.id = f.rule_id limit 1) k;
    if not fits then
      raise exception 'There is no room for all of them.' using errcode = 'no_data_found';
    end if;
  exception when no_data_found then
    return false;
  end;
  return true;
end $$;
comment on function millrace.count_limits(bigint[], int[], float8[], timestamptz, boolean[]) is 'Counts what tasks take of limits, if there is room for all of it.';
