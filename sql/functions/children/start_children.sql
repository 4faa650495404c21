-- Starts the runs that new waits call. Tenant and priority are the caller's unless told, and its headers go along. A child that may not start
-- (its pipeline is paused, its run key is live) refuses the whole parking: its attempt fails, and is tried again under its policy. Calls that
-- nobody waits for, and those of no run at all, have their result at once. Answers with the tasks that come already leased to the worker.
create or replace function millrace.start_children(
  wait_ids bigint[], specs jsonb[], at timestamptz, worker_id uuid default null, lock_key int default null, room int default 0)
returns bigint[]
language plpgsql
as $$
#variable_conflict use_column
declare
  given record;
  answer record;
  leased_ids bigint[] := array[]::bigint[];
  ended_ids bigint[];
  ended_results jsonb[];
begin
  for given in
    with call as materialized (
      -- Read once a call: a list of thousands is not taken apart again for each of them.
      select w.id, w.run_id, d.step, w.item, w.name, coalesce((g.spec ->> 'detached')::boolean, false) as detached,
             coalesce(g.spec -> 'children', jsonb_build_array(g.spec -> 'start')) as starts
        from unnest(wait_ids, specs) g(id, spec)
        join wait w on w.id = any (array[g.id]) and w.kind = 'call'
        join step_definition d on d.id = w.step_id
    ), started as materialized (
      select c.run_id, c.step, c.item, c.name, c.detached, s.start, s.place - 1 as place, row_number() over (order by c.id, s.place) - 1 as n
        from call c cross join lateral jsonb_array_elements(c.starts) with ordinality s(start, place)
    )
    select array_agg((s.start ->> 'id')::uuid order by s.n) as ids, array_agg(s.start ->> 'slug' order by s.n) as slugs,
           array_agg((s.start ->> 'version')::int order by s.n) as versions, array_agg(s.start -> 'input' order by s.n) as inputs,
           array_agg(coalesce((s.start ->> 'priority')::smallint, r.priority) order by s.n) as priorities,
           array_agg(coalesce(s.start ->> 'tenant', r.tenant) order by s.n) as tenants,
           array_agg(case when s.start -> 'headers' is null then r.headers else coalesce(r.headers, '{}') || (s.start -> 'headers') end order by s.n) as headers,
           array_agg((s.start ->> 'available_at')::timestamptz order by s.n) as available_ats,
           array_agg(row (s.run_id, s.step, s.item, s.name, s.place, s.detached)::run_parent order by s.n) as parents
      from started s join run r on r.id = s.run_id
     group by s.n / 10000 order by s.n / 10000
  loop
    for answer in
      select f.reason, f.live_run_id, f.rule, f.passes_at, f.task_id, p.slug
        from start_runs(given.ids, given.slugs, given.versions, given.inputs, given.priorities, given.tenants, given.headers,
                        case when exists (select from unnest(given.available_ats) a where a is not null) then given.available_ats end,
                        started_via => 'call', worker_id => start_children.worker_id, worker_lock_key => start_children.lock_key,
                        room => start_children.room - cardinality(leased_ids), wake_always => false, parents => given.parents) f
        join unnest(given.ids, given.slugs) p(id, slug) on p.id = f.run_id
    loop
      if answer.reason = 'leased' then
        leased_ids := leased_ids || answer.task_id;
        continue;
      end if;
      raise exception 'A call of ''%'' is refused: %.', answer.slug,
        case when answer.reason = 'paused' then 'the pipeline is paused, or its run key is'
          when answer.rule is not null then format('rule ''%s'' on starts stands against it%s', answer.rule, ' until ' || tell_time(answer.passes_at))
          else format('its run key is that of live run %s', answer.live_run_id) end
        using errcode = 'MR016', hint = 'The step is tried again under its retry policy.';
    end loop;
  end loop;

  select array_agg(w.id order by w.id),
         array_agg(case when g.spec -> 'start' is not null then jsonb_build_object('run', g.spec #> '{start,id}')
                        else jsonb_build_object('runs', coalesce(jsonb_path_query_array(g.spec, '$.children[*].id'), '[]')) end order by w.id)
    into ended_ids, ended_results
    from unnest(wait_ids, specs) g(id, spec) join wait w on w.id = any (array[g.id]) and w.kind = 'call'
   where (g.spec ->> 'detached')::boolean or g.spec -> 'children' = '[]';
  if ended_ids is not null then
    perform resolve_waits(ended_ids, ended_results, null, at);
  end if;
  return leased_ids;
end $$;
comment on function millrace.start_children(bigint[], jsonb[], timestamptz, uuid, int, int) is 'Starts the runs that new waits call.';
