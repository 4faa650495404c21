-- Of handlers under rules, those of which what has no room stays where it is ready (see claim_in_lanes), while nobody waits for the rule elsewhere, from before it was
-- placed. And of these, those where some were left and there still is no room: nothing is locked or written to learn that. Who ends later than this has looked sees
-- that some were left, and wakes workers. Whether any of these rules was claimed from within the last tenth of a second is told besides.
create or replace function millrace.laned_handlers(limited int[], at timestamptz, out laned int[], out full_lanes int[], out is_recent boolean)
language plpgsql stable
as $$
#variable_conflict use_column
declare
  rule_ids int[];
  full_rules int[];
begin
  select array_agg(k.id), array_agg(k.id) filter (where millrace.is_left_full(s, k.capacity)), coalesce(bool_or(s.changed_at > laned_handlers.at - interval '100 milliseconds'), false)
    into rule_ids, full_rules, is_recent
    from unnest(array(select distinct l.rule_id from millrace.limited_step l where l.handler = any (limited))) r(id)
    join millrace.limit_rule k on k.id = r.id and k.in_lanes
    left join millrace.limit_state s on s.rule_id = k.id and s.key = ''
   where s.waiting is not true;
  if rule_ids is null then
    laned := '{}';
    full_lanes := '{}';
    return;
  end if;
  select coalesce(array_agg(distinct l.handler), '{}'), coalesce(array_agg(distinct l.handler) filter (where l.rule_id = any (full_rules)), '{}')
    into laned, full_lanes
    from millrace.limited_step l where l.handler = any (limited) and l.rule_id = any (rule_ids);
end $$;
comment on function millrace.laned_handlers(int[], timestamptz) is 'Of handlers under rules, those of which what has no room stays where it is ready, and where there is no room.';
