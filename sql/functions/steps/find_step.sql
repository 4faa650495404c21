-- The definition of a run's step by name. An unknown run or step is an error that names it; so is an item where there is none, and a
-- map, or what undoes one, without one, since neither could ever be started.
create or replace function millrace.find_step(run_id uuid, step text, item int) returns millrace.step_definition
language plpgsql stable
as $$
#variable_conflict use_column
declare
  found_run record;
  definition millrace.step_definition;
  undoes_map boolean;
begin
  if find_step.run_id is null then
    perform millrace.refuse_argument('run_id', 'the id of a run', null);
  end if;
  if find_step.step is null then
    perform millrace.refuse_argument('step', 'the name of a step', null);
  end if;
  select r.slug, r.version into found_run from millrace.run r where r.id = find_step.run_id;
  if not found then
    raise exception 'There is no run %.', find_step.run_id using errcode = 'MR006', hint = 'List the runs with: npx millrace run list';
  end if;
  select d.* into definition from millrace.step_definition d
   where d.slug = found_run.slug and d.version = found_run.version and d.step = find_step.step and d.kind <> 'end';
  if not found then
    raise exception 'Pipeline ''%'' (version %) has no step ''%''.', found_run.slug, found_run.version, find_step.step
      using errcode = 'MR007', hint = (select 'Its steps: ' || string_agg(d.step, ', ' order by d.position) from millrace.step_definition d
                                        where d.slug = found_run.slug and d.version = found_run.version and d.kind <> 'end');
  end if;
  undoes_map := definition.kind = 'undo' and exists (
    select from millrace.step_definition d
     where d.slug = definition.slug and d.version = definition.version and d.step = definition.undoes and d.kind = 'map');
  if (definition.kind = 'map' or undoes_map) and (find_step.item >= 0) is not true then
    perform millrace.refuse_argument('item', format('the place of an item, from 0, as step ''%s'' %s a map', find_step.step,
                                                    case when undoes_map then 'undoes' else 'is' end), find_step.item::text);
  end if;
  if definition.kind <> 'map' and not undoes_map and find_step.item is distinct from -1 then
    perform millrace.refuse_argument('item', format('-1 or left out, as step ''%s'' is no map', find_step.step), find_step.item::text);
  end if;
  return definition;
end $$;
comment on function millrace.find_step(uuid, text, int) is 'The definition of a run''s step by name.';
