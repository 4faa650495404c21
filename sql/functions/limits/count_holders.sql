-- Counts what is held already of a rule that begins to hold, or holds for something else now. Nobody claims meanwhile (see define_limit).
create or replace function millrace.count_holders(rule_id int, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  rule limit_rule;
  held_ids bigint[];
  keys text[];
  counts int[];
begin
  select k.* into rule from limit_rule k where k.id = count_holders.rule_id;
  -- What held it by its earlier reach holds it no more: so it gives nothing back that others have taken.
  update task t set holds = array(select h.id from unnest(t.holds) h(id) where not exists (select from limit_state s where s.id = h.id and s.rule_id = rule.id))
   where t.worker_id is not null and exists (select from unnest(t.holds) h(id) join limit_state s on s.id = h.id where s.rule_id = rule.id);
  update limit_state s set used = 0, folded = case when s.folded is not null then ended_of(s.id) end, holders = null, failed_at = null, open_until = null, probe_id = null,
         head_run = null, head_step = null, head_item = null, head_since = null where s.rule_id = rule.id;
  if rule.kind <> 'concurrency' then
    return;
  end if;
  -- Locked first: what ends meanwhile is not counted.
  held_ids := array(
    select t.id from limited_step l join task t on t.step_id = l.step_id
     where l.rule_id = rule.id and t.worker_id is not null order by t.id + 0 for no key update of t);
  select array_agg(c.key), array_agg(c.count) into keys, counts
    from (select composed_key(rule.key_paths, u.input, t.item_value, u.tenant) as key, count(*)::int as count
            from unnest(held_ids) h(id) join task t on t.id = any (array[h.id]) join run u on u.id = t.run_id group by 1) c;
  if keys is null then
    return;
  end if;
  perform find_limit_states(array_fill(rule.id, array[cardinality(keys)]), keys, true, at);
  update limit_state s set used = c.count, changed_at = at from unnest(keys, counts) c(key, count) where s.rule_id = rule.id and s.key = c.key;
  update task t
     set holds = t.holds || s.id
    from unnest(held_ids) h(id) join task o on o.id = any (array[h.id]) join run u on u.id = o.run_id
    join limit_state s on s.rule_id = rule.id and s.key = composed_key(rule.key_paths, u.input, o.item_value, u.tenant)
   where t.id = h.id;
end $$;
comment on function millrace.count_holders(int, timestamptz) is 'Counts what is held already of a rule.';
