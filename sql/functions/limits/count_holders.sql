-- Counts what is held already of a rule that begins to hold, or holds for something else now. Nobody claims meanwhile (see define_limit).
create or replace function millrace.count_holders(rule_id int, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  rule limit_rule;
  held_ids bigint[];
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
  with held as (
    select t.id, composed_key(rule.key_paths, u.input, t.item_value, u.tenant) as key
      from unnest(held_ids) h(id) join task t on t.id = any (array[h.id]) join run u on u.id = t.run_id
  ), counted as (
    insert into limit_state as s (rule_id, key, used, changed_at)
    select rule.id, h.key, count(*), at from held h group by h.key order by h.key
        on conflict (rule_id, key) do update set used = excluded.used, changed_at = at
    returning s.id, s.key
  )
  update task t
     set holds = t.holds || c.id
    from held h join counted c on c.key = h.key where t.id = h.id;
end $$;
comment on function millrace.count_holders(int, timestamptz) is 'Counts what is held already of a rule.';
