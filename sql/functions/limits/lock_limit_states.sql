-- Locks states, given in the order of their ids, in this order, and answers with what they and their rules say. Who is not patient gets nothing
-- of those that somebody else has locked: their ids are null, and the places of the others stay as they are.
--
-- Before the states their seats are locked, so that all ends are counted, and each one from now on sees who waits (see count_ends).
create or replace function millrace.lock_limit_states(ids bigint[], patient boolean)
returns table (id bigint, used int, waiting boolean, full_until timestamptz, open_until timestamptz, probe_id bigint, held_until timestamptz, holders bigint[], head text,
               kind text, capacity int, strategy text, unit_ms float8, burst int, name text, key text)
language plpgsql
as $$
#variable_conflict use_column
declare
  crowded_ids bigint[] := array(select e.state_id from limit_end e where e.state_id = any (lock_limit_states.ids) and e.seat = 1 order by 1);
  missed_ids bigint[] := array[]::bigint[];
begin
  if patient then
    perform from unnest(crowded_ids) g(id) cross join lateral (select from limit_end e where e.state_id = g.id order by e.seat for update) e;
    perform from unnest(ids) g(id) cross join lateral (select from limit_state s where s.id = g.id for update) s;
  else
    missed_ids := array(
      select g.id from unnest(crowded_ids) g(id)
        left join lateral (select e.seat from limit_end e where e.state_id = g.id order by e.seat for update skip locked) e on true
       group by g.id having count(e.seat) < 8);
    missed_ids := missed_ids || array(
      select g.id from unnest(ids) g(id)
        left join lateral (select true as locked from limit_state s where s.id = g.id and g.id <> all (missed_ids) for update skip locked) s on true
       where s.locked is null);
  end if;
  -- One that got its seats meanwhile is not had: they come before it.
  missed_ids := missed_ids || array(select s.id from limit_state s where s.id = any (lock_limit_states.ids) and s.folded is not null and s.id <> all (crowded_ids));
  if crowded_ids <> '{}' then
    update limit_state s set used = greatest(s.used - (ended_of(s.id) - s.folded)::int, 0), folded = ended_of(s.id)
     where s.id = any (crowded_ids) and s.id <> all (missed_ids) and s.folded < ended_of(s.id);
  end if;
  return query
    select s.id, s.used, s.waiting, s.full_until, s.open_until, s.probe_id, s.held_until, s.holders, case when k.fifo is not null then coalesce(format('%s %s %s', s.head_run, s.head_step, s.head_item), '') end, k.kind, k.capacity, k.strategy, k.unit_ms, k.burst, k.name, s.key
      from unnest(ids) with ordinality g(id, n)
      left join lateral (select * from limit_state s where s.id = g.id and g.id <> all (missed_ids) limit 1) s on true
      left join lateral (select * from limit_rule k where k.id = s.rule_id limit 1) k on true order by g.n;
end $$;
comment on function millrace.lock_limit_states(bigint[], boolean) is 'Locks states in the order of their ids, and answers with what they and their rules say.';
