-- Locks states, given in the order of their ids, in this order, and answers with what they and their rules say. Who is not patient gets nothing
-- of those that somebody else has locked: their ids are null, and the places of the others stay as they are.
create or replace function millrace.lock_limit_states(ids bigint[], patient boolean)
returns table (id bigint, used int, waiting boolean, full_until timestamptz, open_until timestamptz, probe_id bigint, held_until timestamptz, holders bigint[], head text,
               kind text, capacity int, strategy text, unit_ms float8, burst int, name text, key text)
language plpgsql
as $$
#variable_conflict use_column
begin
  if patient then
    perform from unnest(ids) g(id) cross join lateral (select from limit_state s where s.id = g.id for update) s;
    return query
      select s.id, s.used, s.waiting, s.full_until, s.open_until, s.probe_id, s.held_until, s.holders, case when k.fifo is not null then coalesce(format('%s %s %s', s.head_run, s.head_step, s.head_item), '') end, k.kind, k.capacity, k.strategy, k.unit_ms, k.burst, k.name, s.key
        from unnest(ids) with ordinality g(id, n)
        left join lateral (select * from limit_state s where s.id = g.id limit 1) s on true
        left join lateral (select * from limit_rule k where k.id = s.rule_id limit 1) k on true order by g.n;
  else
    return query
      select s.id, s.used, s.waiting, s.full_until, s.open_until, s.probe_id, s.held_until, s.holders, case when k.fifo is not null then coalesce(format('%s %s %s', s.head_run, s.head_step, s.head_item), '') end, k.kind, k.capacity, k.strategy, k.unit_ms, k.burst, k.name, s.key
        from unnest(ids) with ordinality g(id, n)
        left join lateral (select * from limit_state s where s.id = g.id for update skip locked) s on true
        left join lateral (select * from limit_rule k where k.id = s.rule_id limit 1) k on true order by g.n;
  end if;
end $$;
comment on function millrace.lock_limit_states(bigint[], boolean) is 'Locks states in the order of their ids, and answers with what they and their rules say.';
