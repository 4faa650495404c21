-- Opens what is not final of runs that have no task, no join and no map under way: joins count what they still wait for, and what waits for
-- nothing is ready. Failures are counted anew; attempts are numbered on, so that no attempt of before can be taken for one of these.
create or replace function millrace.open_steps(run_ids uuid[], at timestamptz) returns void
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  special_runs uuid[];
  special_steps int[];
  opened_run run;
  definition step_definition;
  items jsonb[];
  is_final boolean;
begin
  with final as materialized (
    select f.run_id, array_agg(f.step) as steps from final_steps(open_steps.run_ids) f group by f.run_id
  ), rest as materialized (
    select r.id as run_id, r.priority, d.id as step_id, d.step, d.kind, d.handler, cardinality(d.needs) as needs, d.position,
           d.kind = 'map' or (d.skips_with_needs and d.needs <> '{}') as special,
           (select count(*)::int from unnest(d.needs) need(step) where need.step <> all (coalesce(f.steps, '{}'))) as needs_left
      from unnest(open_steps.run_ids) g(id)
      join run r on r.id = any (array[g.id])
      left join final f on f.run_id = r.id
      join step_definition d on d.slug = r.slug and d.version = r.version and d.kind not in ('undo', 'finally') and d.step <> all (coalesce(f.steps, '{}'))
  ), joins as (
    insert into join_state (run_id, step_id, needs_left)
    select o.run_id, o.step_id, o.needs_left from rest o where o.needs > 1 and o.needs_left > 0 order by o.run_id, o.step_id
  ), opened as (
    insert into task (handler, priority, run_id, step_id, attempt, ready_at)
    select o.handler, o.priority, o.run_id, o.step_id,
           coalesce((select max(a.attempt) from attempt a where a.run_id = any (array[o.run_id]) and a.step = o.step and a.item = -1), 0), at
      from rest o where o.needs_left = 0 and not o.special and o.kind <> 'end' order by o.run_id, o.position
  )
  select array_agg(o.run_id order by o.run_id, o.position), array_agg(o.step_id order by o.run_id, o.position) into special_runs, special_steps
    from rest o where o.needs_left = 0 and o.special;

  for n in 1 .. coalesce(cardinality(special_runs), 0) loop
    select r.* into opened_run from run r where r.id = special_runs[n];
    select d.* into definition from step_definition d where d.id = special_steps[n];
    if definition.kind = 'map' and exists (select from attempt a where a.run_id = opened_run.id and a.step = definition.step and a.item >= 0) then
      perform open_map(opened_run, definition, at);
      continue;
    end if;
    items := array[null::jsonb];
    is_final := definition.skips_with_needs and definition.needs <> '{}' and not exists (
      select from unnest(definition.needs) need(step) where not exists (select from skipped_steps(array[opened_run.id], array[need.step])));
    if is_final then
      perform record_outcome(opened_run.id, definition.step, 1, 'skipped', null, null,
                             format('all that it needs was skipped: %s', step_list(definition.needs)), at);
    elsif definition.kind = 'map' then
      select e.item_values, e.final into items, is_final from expand_map(opened_run.id, definition.id, at) e;
    end if;
    if is_final then
      perform advance_runs(array[opened_run.id], array[definition.id], array[-1], array[opened_run.priority], array[false], null, 0, 10::smallint, '{}', at);
    else
      insert into task (handler, priority, run_id, step_id, item, item_value, attempt, ready_at)
      select definition.handler, opened_run.priority, opened_run.id, definition.id, case definition.kind when 'map' then i.n - 1 else -1 end, i.item_value,
             case definition.kind when 'map' then 0 else coalesce((
               select max(a.attempt) from attempt a where a.run_id = opened_run.id and a.step = definition.step and a.item = -1), 0) end, at
        from unnest(items) with ordinality i(item_value, n) order by i.n;
    end if;
  end loop;
end $$;
comment on function millrace.open_steps(uuid[], timestamptz) is 'Opens what is not final of runs of which nothing is under way.';
