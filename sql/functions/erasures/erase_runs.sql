-- Takes runs out of every table: the only place where a run goes before its time. Answers how many rows of each. Runs that are live are refused.
-- What they called detached, and what was made of them, lives on and forgets where it came from.
create or replace function millrace.erase_runs(run_ids uuid[]) returns jsonb
language plpgsql
as $$
#variable_conflict use_column
declare
  live uuid;
  kept_table text;
  n bigint;
  counts jsonb := '{}'::jsonb;
  freed bigint[];
  schedules bigint[];
begin
  -- What waits for their end in a schedule hears of it while their firings are still there.
  schedules := array(
    select distinct f.schedule_id from firing f
     where f.run_id = any (run_ids)
       and (f.unsettled or (f.verify_at is not null and exists (select from firing q where q.schedule_id = f.schedule_id and q.state = 'queued'))));
  if schedules <> '{}' then
    perform refuse_copied_database();
    perform 1 from schedule s where s.id = any (schedules) order by s.id for update;
    perform settle_schedules(schedules, millrace.now());
  end if;
  perform lock_run_tasks(run_ids);
  -- A task that is still being aborted holds its slots, and whoever reports its end later finds nothing any more.
  with removed as (
    delete from task t where t.run_id = any (run_ids) returning t.holds
  )
  select (select count(*) from removed), (select array_agg(h.id) from removed r cross join unnest(r.holds) h(id)) into n, freed;
  counts := add_counts(counts, jsonb_build_object('task', n));
  if freed is not null then
    perform release_limits(freed, millrace.now());
  end if;
  perform 1 from join_state j where j.run_id = any (run_ids) order by j.run_id, j.step_id for update;
  perform 1 from run r where r.id = any (run_ids) order by r.id for update;
  select r.id into live from run r where r.id = any (run_ids) and r.finished_at is null limit 1;
  if found then
    raise exception 'Run % is live, so nothing of it is erased.', live
      using errcode = 'MR052', hint = format('Cancel it first, with: npx millrace run cancel %s', live);
  end if;

  -- Signals to a name that these runs took: their payload is in the checkpoints, and is theirs.
  delete from signal s using checkpoint c
   where c.run_id = any (run_ids) and c.kind = 'signal' and s.run_id is null and s.name = c.value ->> 'name' and s.taken_by_run = c.run_id;
  get diagnostics n = row_count;
  counts := add_counts(counts, jsonb_build_object('signal', n));
  delete from idempotency i using run r
   where r.id = any (run_ids) and i.slug = r.slug and i.key = r.idempotency_key and i.tenant is not distinct from r.tenant and i.run_id = r.id;
  get diagnostics n = row_count;
  counts := add_counts(counts, jsonb_build_object('idempotency', n));
  update run_lineage l set input_difference = null where l.of_run = any (run_ids) and l.input_difference is not null;

  counts := add_counts(counts, jsonb_build_object('delivery', forget_deliveries(run_ids), 'emitted_event', forget_events(run_ids)));
  delete from agent_request a where a.id in (select o.id from requests_of_runs(run_ids) o(id));
  get diagnostics n = row_count;
  counts := add_counts(counts, jsonb_build_object('agent_request', n));
  -- What a throttle has let pass in its window is of all runs of the key.
  update start_state s set run_id = null, first_at = null where s.run_id = any (run_ids) and s.times <> '{}';
  get diagnostics n = row_count;
  counts := add_counts(counts, jsonb_build_object('start_state', n));
  perform leave_artifacts(run_ids);
  foreach kept_table in array tables_of_runs() loop
    continue when kept_table in ('task', 'idempotency', 'agent_request');
    execute format('delete from millrace.%I where run_id = any ($1)', kept_table) using run_ids;
    get diagnostics n = row_count;
    counts := add_counts(counts, jsonb_build_object(kept_table, n));
  end loop;
  update run c set parent_run_id = null, parent_step = null, parent_item = null, parent_call = null, parent_place = null, detached = null
   where c.parent_run_id = any (run_ids) and c.id <> all (run_ids);
  delete from run r where r.id = any (run_ids);
  get diagnostics n = row_count;
  return add_counts(counts, jsonb_build_object('run', n));
end $$;
comment on function millrace.erase_runs(uuid[]) is 'Takes runs out of every table; answers how many rows of each.';
