-- Failed runs go on in place: the only place where a run leaves the state failed. Outputs stay; what is not final is opened again, and the
-- failure that was goes into the history. An attempt that is still being aborted is taken back, so that whatever it reports later is refused.
-- The caller has locked the tasks and the rows of the runs, has found no fault with them, and has taken their run keys.
create or replace function millrace.continue_failed_runs(run_ids uuid[], redrive_id uuid, reason text, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  taken_back jsonb := jsonb_build_object('code', 'run_redriven', 'message', 'The run was redriven while this attempt was being aborted.', 'retryable', true);
  freed bigint[];
begin
  with removed as (
    delete from task t using step_definition d where t.run_id = any (run_ids) and d.id = t.step_id returning t.*, d.step
  ), written as (
    insert into attempt (run_id, step, item, attempt, worker_id, outcome, error, reason, ready_at, started_at, finished_at, retry_at)
    select r.run_id, r.step, r.item, r.attempt, r.worker_id, 'reclaimed', taken_back, taken_back ->> 'message', r.ready_at, r.claimed_at,
           greatest(at, r.claimed_at), greatest(at, r.claimed_at)
      from removed r
  )
  select array_agg(h.id) into freed from removed r cross join unnest(r.holds) h(id);
  insert into event (run_id, at, actor, kind, step, item, detail)
  select l.run_id, continue_failed_runs.at, actor(), 'run.redriven', l.step, l.item, jsonb_strip_nulls(jsonb_build_object(
           'redrive', continue_failed_runs.redrive_id, 'reason', continue_failed_runs.reason, 'error', l.error - 'stack', 'failed_at', l.failed_at,
           'forgotten', f.forgotten))
    from dead_letter l left join forget_failures(run_ids) f on f.run_id = l.run_id
   where l.run_id = any (run_ids) order by l.run_id;
  delete from dead_letter l where l.run_id = any (run_ids);
  -- Who called it was told of its failure, and has ended since.
  update run r set state = 'running', finished_at = null, error = null, outcome = null, outcome_error = null, outcome_step = null, outcome_item = null,
                   started_at = coalesce(r.started_at, at), detached = case when r.detached is not null then true end, revision = r.revision + 1
   where r.id = any (run_ids);
  if exists (select from firing f where f.run_id = any (run_ids)) then
    perform pass_firings(run_ids, run_ids);
  end if;
  if freed is not null then
    perform release_limits(freed, at);
  end if;
  perform open_steps(run_ids, at);
  perform wake_workers(false);
end $$;
comment on function millrace.continue_failed_runs(uuid[], uuid, text, timestamptz) is 'Failed runs go on in place.';
