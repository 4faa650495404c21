-- Gives back what completed tasks held of limits, given the holds of all of them, one after the other. Where many slots are in use and nobody waits,
-- their number is noted in a seat of the state that is free, and the next claim takes it off: so ends wait for no claim, and no claim for ends. All
-- the rest is given back by release_limits.
--
-- Whoever begins to wait for a limit has all of its seats locked before (see lock_limit_states). So either the seat that is locked here keeps them
-- until this has committed, and they count it; or they have committed, and are seen waiting by the statement after the lock; or no seat is free.
-- Seats are locked before states, everywhere; who finds none waits for none.
create or replace function millrace.count_ends(holds bigint[], at timestamptz, succeeded boolean) returns void
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  crowded_ids bigint[] := array(select e.state_id from limit_end e where e.state_id = any (count_ends.holds) and e.seat = 1 order by 1 limit 64);
  seated_ids bigint[];
  seats smallint[];
  settled_ids bigint[];
  left_some boolean;
begin
  if crowded_ids <> '{}' then
    select array_agg(g.id), array_agg(free.seat) into seated_ids, seats
      from unnest(crowded_ids) g(id)
     cross join lateral (
       select e.seat from limit_end e
        where e.state_id = g.id and not (select s.waiting from limit_state s where s.id = g.id)
        order by e.seat limit 1 for no key update skip locked) free;
    with settled as (
      update limit_end e set ended_at = at, ended = e.ended + (select count(*) from unnest(count_ends.holds) h(id) where h.id = g.id)
        from unnest(seated_ids, seats) g(id, seat)
       where e.state_id = any (array[g.id]) and e.seat = g.seat and not (select s.waiting from limit_state s where s.id = g.id)
      returning e.state_id
    )
    select array_agg(s.state_id), bool_or((select l.left_at is not null from limit_state l where l.id = s.state_id)) into settled_ids, left_some from settled s;
    if left_some then
      perform wake_workers(false);
    end if;
    holds := array(select h.id from unnest(count_ends.holds) h(id) where h.id <> all (coalesce(settled_ids, '{}')));
  end if;
  if holds <> '{}' then
    perform release_limits(holds, at, succeeded);
  end if;
end $$;
comment on function millrace.count_ends(bigint[], timestamptz, boolean) is 'Gives back what completed tasks held of limits.';
