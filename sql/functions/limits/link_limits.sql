-- Works out which rules hold for which steps: of some rules, or of a version that is just being registered.
create or replace function millrace.link_limits(rule_ids int[] default null, slug text default null, version int default null) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  delete from limited_step l where l.rule_id = any (link_limits.rule_ids);
  insert into limited_step (step_id, rule_id, handler)
  select distinct d.id, g.rule_id, d.handler
    from limit_target g
    join handler h on (g.slug is null or g.slug = h.slug) and (g.queue is null or g.queue = h.queue)
    join step_definition d on d.handler = h.id and (g.step is null or g.step = d.step)
   where (link_limits.rule_ids is null or g.rule_id = any (link_limits.rule_ids))
     and (link_limits.slug is null or (d.slug = link_limits.slug and d.version = link_limits.version));
end $$;
comment on function millrace.link_limits(int[], text, int) is 'Works out which rules hold for which steps.';
