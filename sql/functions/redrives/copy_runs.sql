-- Makes new runs of others: to redrive them, to fork one at a step, or to run one again. All but from the start keep what they can: its outputs
-- are copied, so that nothing of it is done again. Answers for each with the new run, or why there is none. Of what a fork copied nothing is
-- undone where it fails: those effects are the other run's. A redrive takes the place of the run that it was made of, and undoes them.
create or replace function millrace.copy_runs(
  of_runs uuid[], new_ids uuid[], kind text, version text, restart text, step text, input jsonb, keep_checkpoints boolean, redrive_id uuid,
  reason text, at timestamptz)
returns table (of_run uuid, new_run uuid, refusal text, detail text)
language plpgsql
as $$
#variable_conflict use_column
declare
  source run;
  planned record;
  target int;
  makes record;
  sources uuid[] := array[]::uuid[];
  ids uuid[] := array[]::uuid[];
  versions int[] := array[]::int[];
  all_kept text[] := array[]::text[];
  kept_runs uuid[] := array[]::uuid[];
  refused_ids uuid[];
  made_at timestamptz;
begin
  for of_run, new_run in select g.id, g.new_id from unnest(of_runs, new_ids) g(id, new_id) order by g.id loop
    select r.* into source from run r where r.id = of_run;
    target := case copy_runs.version when 'latest' then (select p.active_version from pipeline p where p.slug = source.slug) else source.version end;
    if exists (select from pipeline_version v where v.slug = source.slug and v.version in (source.version, target) and v.is_encrypted) then
      return query select of_run, null::uuid, 'encrypted', 'What is stored of it was encrypted for this run, and can be read by no other.';
      continue;
    end if;
    planned := null;
    if restart <> 'start' then
      select * into planned from plan_copy(source, target, case restart when 'step' then copy_runs.step end);
      if planned.reason is not null then
        refusal := planned.reason;
        detail := planned.detail;
        return query select of_run, null::uuid, refusal, detail;
        continue;
      end if;
      kept_runs := kept_runs || array_fill(new_run, array[cardinality(planned.kept)]);
      all_kept := all_kept || planned.kept;
    end if;
    sources := sources || source.id;
    ids := ids || new_run;
    versions := versions || target;
  end loop;
  if ids = '{}' then
    return;
  end if;

  select array_agg(r.slug order by g.n) as slugs, array_agg(coalesce(copy_runs.input, r.input) order by g.n) as inputs, array_agg(r.priority order by g.n) as priorities,
         array_agg(r.tenant order by g.n) as tenants, array_agg(r.headers - 'millrace-actor' order by g.n) as headers into makes
    from unnest(sources) with ordinality g(id, n) join run r on r.id = g.id;
  refused_ids := '{}';
  for new_run, refusal, of_run, detail in
    select s.run_id, s.reason, g.of_id,
           case s.reason when 'paused' then 'The pipeline is paused, or its run key is.' else coalesce(format('Rule ''%s'' on starts stands against it: run %s is in progress.', s.rule, s.live_run_id), format('Its run key is that of live run %s.', s.live_run_id)) end
      from start_runs(ids, makes.slugs, versions, makes.inputs, makes.priorities, makes.tenants, makes.headers, started_via => copy_runs.kind,
                      wake_always => false, given_ids => false) s
      join unnest(ids, sources) g(id, of_id) on g.id = s.run_id
  loop
    refused_ids := refused_ids || new_run;
    new_run := null;
    return next;
  end loop;
  -- Nothing of a run lies before its start, which comes after what the caller took for now.
  made_at := greatest(at, (select max(r.created_at) from run r where r.id = any (ids)));

  insert into run_lineage (run_id, of_run, kind, step, input_difference, reason, redrive_id, created_at, created_by)
  select g.id, g.of_id, copy_runs.kind, copy_runs.step, case when copy_runs.input is not null then json_difference(r.input, copy_runs.input) end,
         copy_runs.reason, copy_runs.redrive_id, made_at, actor()
    from unnest(ids, sources) g(id, of_id) join run r on r.id = g.of_id where g.id <> all (refused_ids);
  insert into event (run_id, at, actor, kind, step, detail)
  select g.of_id, made_at, actor(), case copy_runs.kind when 'redrive' then 'run.redriven' when 'fork' then 'run.forked' else 'run.rerun' end, copy_runs.step,
         jsonb_strip_nulls(jsonb_build_object('as', g.id, 'redrive', copy_runs.redrive_id, 'reason', copy_runs.reason, 'error', l.error - 'stack', 'failed_at', l.failed_at))
    from unnest(ids, sources) g(id, of_id) left join dead_letter l on copy_runs.kind = 'redrive' and l.run_id = g.of_id where g.id <> all (refused_ids);

  if restart <> 'start' then
    delete from task t where t.run_id = any (ids) and t.run_id <> all (refused_ids);
    delete from join_state j where j.run_id = any (ids) and j.run_id <> all (refused_ids);
    insert into attempt (run_id, step, item, attempt, worker_id, outcome, output, error, writes, reason, ready_at, started_at, finished_at)
    select k.id, a.step, a.item, 1, case copy_runs.kind when 'redrive' then a.worker_id end, a.outcome, a.output, a.error, a.writes,
           case a.outcome when 'skipped' then a.reason else format('copied from run %s', g.of_id) end, made_at, made_at, made_at
      from unnest(kept_runs, all_kept) k(id, step)
      join unnest(ids, sources) g(id, of_id) on g.id = k.id and g.id <> all (refused_ids)
      join attempt a on a.run_id = g.of_id and a.step = k.step and is_last_attempt(a.outcome, a.item, a.retry_at);
    if keep_checkpoints then
      perform copy_checkpoints(g.of_id, g.id, copy_runs.step, made_at) from unnest(ids, sources) g(id, of_id) where g.id <> all (refused_ids);
    end if;
    perform open_steps(array(select i from unnest(ids) i where i <> all (refused_ids)), made_at);
  end if;
  if copy_runs.kind = 'redrive' then
    if exists (select from firing f where f.run_id = any (sources)) then
      perform pass_firings(g.of_ids, g.ids) from (
        select array_agg(u.of_id) as of_ids, array_agg(u.id) as ids from unnest(ids, sources) u(id, of_id) where u.id <> all (refused_ids)) g;
    end if;
    perform hand_on_callbacks(g.of_id, g.id, false), hand_on_event_starts(g.of_id, g.id)
       from unnest(ids, sources) g(id, of_id) where g.id <> all (refused_ids) and (exists (select from callback) or exists (select from event_start));
    delete from dead_letter l using unnest(ids, sources) g(id, of_id) where l.run_id = g.of_id and g.id <> all (refused_ids);
  end if;
  return query select g.of_id, g.id, null::text, null::text from unnest(ids, sources) g(id, of_id) where g.id <> all (refused_ids);
end $$;
comment on function millrace.copy_runs(uuid[], uuid[], text, text, text, text, jsonb, boolean, uuid, text, timestamptz) is 'Makes new runs of others, with what can be kept of them.';
