-- What a run that is made of another one keeps of it: the steps whose outputs are copied; or why it can't be made. From a step on, that step and
-- all that come after it are done again; else what is not final is. What is kept must stand alike in the version that the new run has.
create or replace function millrace.plan_copy(of_run millrace.run, to_version int, from_step text)
returns table (kept text[], reason text, detail text)
language plpgsql stable
as $$
#variable_conflict use_column
declare
  again text[] := array[]::text[];
  missing text;
begin
  if from_step is not null then
    if not exists (select from step_definition d where d.slug = (of_run).slug and d.version = to_version and d.step = from_step and d.kind not in ('end', 'undo', 'finally')) then
      return query select null::text[], 'step_unknown', format('Version %s of ''%s'' has no step ''%s''.', to_version, (of_run).slug, from_step);
      return;
    end if;
    again := array(
      with recursive later as (
        select from_step collate "C" as step
        union
        select d.step from later l join step_definition d on d.slug = (of_run).slug and d.version = to_version and l.step = any (d.needs) and d.kind <> 'end'
      )
      select l.step from later l);
  end if;
  kept := array(
    select f.step from final_steps(array[(of_run).id]) f
      join step_definition d on d.slug = (of_run).slug and d.version = (of_run).version and d.step = f.step and d.kind not in ('undo', 'finally')
     where f.step <> all (again) order by d.position);

  select format('''%s'' has not been reached: %s not final.', from_step, step_list(array_agg(need.step order by need.n))) into missing
    from step_definition d cross join unnest(d.needs) with ordinality need(step, n)
   where d.slug = (of_run).slug and d.version = to_version and d.step = from_step and need.step <> all (kept) having count(*) > 0;
  if missing is not null then
    return query select null::text[], 'not_reached', missing;
    return;
  end if;
  select f.fault into missing
    from pipeline_version v cross join lateral find_graph_faults((of_run).slug, (of_run).version, v.graph) f
   where to_version <> (of_run).version and v.slug = (of_run).slug and v.version = to_version and f.step = any (kept) limit 1;
  if missing is not null then
    return query select null::text[], 'version_unfit', format('Version %s can''t go on from there: %s.', to_version, missing);
    return;
  end if;
  select d.undoes into missing from step_definition d
   where d.slug = (of_run).slug and d.version = (of_run).version and d.kind = 'undo' and d.undoes = any (kept)
     and exists (select from attempt a where a.run_id = (of_run).id and a.step = d.step) limit 1;
  if missing is not null then
    return query select null::text[], 'undone', format('What ''%s'' did has been undone: begin there, or at the start.', missing);
    return;
  end if;
  select rtrim(map_error(m.step, m.over, coalesce(o.output, 'null')) ->> 'message', '.') into missing
    from step_definition m cross join lateral read_outputs(array[(of_run).id], array[m.over]) o
   where m.slug = (of_run).slug and m.version = to_version and m.kind = 'map' and m.on_error = 'fail' and m.over = any (kept) and m.step <> all (kept)
     and o.outcome = 'completed' and map_error(m.step, m.over, coalesce(o.output, 'null')) is not null limit 1;
  if missing is not null then
    return query select null::text[], 'not_a_list', missing || '.';
    return;
  end if;
  return next;
end $$;
comment on function millrace.plan_copy(millrace.run, int, text) is 'What a run that is made of another one keeps of it, or why it can''t be made.';
