-- The definition of a run's step by name; an unknown run or step is an error that names it.
create or replace function millrace.find_step(run_id uuid, step text) returns millrace.step_definition
language plpgsql stable
as $$
#variable_conflict use_column
declare
  found_run record;
  definition millrace.step_definition;
begin
  select r.slug, r.version into found_run from millrace.run r where r.id = find_step.run_id;
  if not found then
    raise exception 'There is no run %.', find_step.run_id using errcode = 'MR006', hint = 'List the runs with: millrace run list';
  end if;
  select d.* into definition from millrace.step_definition d
   where d.slug = found_run.slug and d.version = found_run.version and d.step = find_step.step and d.kind <> 'end';
  if not found then
    raise exception 'Pipeline ''%'' (version %) has no step ''%''.', found_run.slug, found_run.version, find_step.step
      using errcode = 'MR007', hint = (select 'Its steps: ' || string_agg(d.step, ', ' order by d.position) from millrace.step_definition d
                                        where d.slug = found_run.slug and d.version = found_run.version and d.kind <> 'end');
  end if;
  return definition;
end $$;
comment on function millrace.find_step(uuid, text) is 'The definition of a run''s step by name.';
