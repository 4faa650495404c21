-- Works out which rules hold for which steps: of some rules, or of a version that is just being registered.
create or replace function millrace.link_limits(rule_ids int[] default null, slug text default null, version int default null) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  bad record;
begin
  delete from limited_step l where l.rule_id = any (link_limits.rule_ids);
  insert into limited_step (step_id, rule_id, handler)
  select distinct d.id, g.rule_id, d.handler
    from limit_target g
    join handler h on (g.slug is null or g.slug = h.slug) and (g.queue is null or g.queue = h.queue)
    join step_definition d on d.handler = h.id and (g.step is null or g.step = d.step)
   where (link_limits.rule_ids is null or g.rule_id = any (link_limits.rule_ids))
     and (link_limits.slug is null or (d.slug = link_limits.slug and d.version = link_limits.version));
  -- What was registered before the rule and is no longer active keeps out of it: nobody could change it any more.
  select k.name, d.slug, d.step into bad
    from limited_step l join limit_rule k on k.id = l.rule_id join step_definition d on d.id = l.step_id
    join pipeline p on p.slug = d.slug
   where d.batch_size is not null and (link_limits.rule_ids is null or l.rule_id = any (link_limits.rule_ids))
     and (d.slug = link_limits.slug and d.version = link_limits.version or link_limits.slug is null and d.version = p.active_version)
   limit 1;
  if found then
    raise exception 'Limit ''%'' would hold for step ''%'' of pipeline ''%'', whose tasks are claimed in batches: a limit counts tasks one by one.', bad.name, bad.step, bad.slug
      using errcode = 'MR060', hint = 'Let the rule name the other steps, or a step before the batch.';
  end if;
  delete from limited_step l using step_definition d where d.id = l.step_id and d.batch_size is not null;
  perform renew_turn_handlers();
end $$;
comment on function millrace.link_limits(int[], text, int) is 'Works out which rules hold for which steps.';
