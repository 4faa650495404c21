-- Of handlers that are under rules, those whose tasks take turns, after what has no key yet has got one; and the others, of which all are claimed
-- in the order of their ids. Not patient is who has locked something on the way: it must wait for nothing more.
create or replace function millrace.prepare_turns(handlers int[], at timestamptz, out turn_lanes int[], out other_lanes int[], out patient boolean)
language plpgsql
as $$
#variable_conflict use_column
declare
  ruled record;
  rules int;
begin
  turn_lanes := array(select f.handler from turn_handler f where f.handler = any (handlers));
  other_lanes := handlers;
  patient := true;
  if turn_lanes = '{}' then
    return;
  end if;
  select array_agg(distinct l.handler) filter (where k.kind = 'fairness') as fair, array_agg(distinct l.handler) filter (where k.fifo is not null) as lined_up,
         array_agg(distinct l.handler) as both_lanes, array_agg(distinct k.id order by k.id) filter (where k.fifo is not null) as fifo_rules
    into ruled
    from limited_step l join limit_rule k on k.id = l.rule_id and (k.kind = 'fairness' or k.fifo is not null) where l.handler = any (turn_lanes);
  if ruled.both_lanes is null then
    return;
  end if;
  other_lanes := array(select h.id from unnest(handlers) h(id) where h.id <> all (ruled.both_lanes));
  if ruled.fair is not null then
    perform sort_turns(array(select h.id from unnest(ruled.fair) h(id) where h.id <> all (coalesce(ruled.lined_up, '{}'))), 1000);
  end if;
  -- Only the first one of which something has come may wait for its states and makes those of new keys: so another one is first each tenth of a second.
  rules := coalesce(cardinality(ruled.fifo_rules), 0);
  for n in 1 .. rules loop
    if line_up(ruled.fifo_rules[1 + (n + (extract(epoch from at) * 10)::bigint) % rules], at, null, patient) then
      patient := false;
    end if;
  end loop;
end $$;
comment on function millrace.prepare_turns(int[], timestamptz) is 'Of handlers that are under rules, those whose tasks take turns, and the others.';
