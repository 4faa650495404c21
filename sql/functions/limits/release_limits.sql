-- Gives back what ended tasks held, and calls those who wait for it. Given are the holds of all of them, one after the other. A breaker among
-- them was held by its probe, whose place is free by this: it closes where the probe succeeded (where it failed, count_failures has opened it
-- again). A state with many slots in use gets its seats here (see count_ends).
--
-- The states are locked in the order of their ids: they come out of the grouping in it, and without whole scans, hashes and merges there is no
-- plan but to look each of them up in turn. Its settings are its own, because a plan may be kept from a caller who has others.
create or replace function millrace.release_limits(holds bigint[], at timestamptz, succeeded boolean default false) returns void
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  waited_for bigint[];
  returned int[];
  crowded_ids bigint[];
  left_some boolean;
begin
  with given_back as (
    update limit_state s set changed_at = at, used = greatest(s.used - g.count, 0), probe_id = null, open_until = case when succeeded and s.probe_id is not null then null else s.open_until end
      from (select h.id, count(*)::int as count from unnest(release_limits.holds) h(id) group by h.id order by h.id) g
     where s.id = any (array[g.id])
    returning s.id, s.waiting, s.used, s.folded, s.left_at, g.count
  )
  select array_agg(b.id order by b.id) filter (where b.waiting), array_agg(b.count order by b.id) filter (where b.waiting), array_agg(b.id) filter (where b.used >= 16 and b.folded is null), bool_or(b.left_at is not null)
    into waited_for, returned, crowded_ids, left_some from given_back b;
  if crowded_ids is not null then
    insert into limit_end (state_id, seat) select c.id, seat.n from unnest(crowded_ids) c(id) cross join generate_series(1, 8) seat(n);
    update limit_state s set folded = 0 where s.id = any (crowded_ids);
  end if;
  if waited_for is not null then
    perform call_waiters(waited_for, at, returned);
  end if;
  if left_some then
    perform wake_workers(false);
  end if;
end $$;
comment on function millrace.release_limits(bigint[], timestamptz, boolean) is 'Gives back what ended tasks held of limits, and calls those who wait for it.';
