-- Who may do what in schema millrace: the whole list. After each apply the migrator takes every right from public,
-- anon, authenticated and the roles of Millrace, then gives what is written here. Statements for a role that does
-- not exist are left out. A policy that exists stays as it is: to change one, drop it in a migration.
-- Operators and workers are viewers as well; an admin is all of them (sql/roles.sql).

-- Viewers read everything. A table needs both lines: without a policy it looks empty.

grant usage on schema millrace to millrace_viewer;
grant select on
  millrace.setting,
  millrace.pipeline,
  millrace.pipeline_version,
  millrace.handler,
  millrace.step_definition,
  millrace.pipeline_share,
  millrace.pipeline_bucket,
  millrace.run,
  millrace.run_deadline,
  millrace.run_watch,
  millrace.live_key,
  millrace.idempotency,
  millrace.task,
  millrace.waiting_task,
  millrace.join_state,
  millrace.map_item,
  millrace.worker,
  millrace.attempt,
  millrace.event,
  millrace.dead_letter,
  millrace.checkpoint,
  millrace.wait,
  millrace.wait_signal,
  millrace.signal,
  millrace.approval,
  millrace.approval_decision,
  millrace.approval_delegation,
  millrace.cancellation,
  millrace.run_metadata,
  millrace.step_progress,
  millrace.run_metric,
  millrace.stream_part,
  millrace.migration,
  millrace.function_set
to millrace_viewer;

create policy viewers_read on millrace.setting for select to millrace_viewer using (true);
create policy viewers_read on millrace.pipeline for select to millrace_viewer using (true);
create policy viewers_read on millrace.pipeline_version for select to millrace_viewer using (true);
create policy viewers_read on millrace.handler for select to millrace_viewer using (true);
create policy viewers_read on millrace.step_definition for select to millrace_viewer using (true);
create policy viewers_read on millrace.pipeline_share for select to millrace_viewer using (true);
create policy viewers_read on millrace.pipeline_bucket for select to millrace_viewer using (true);
create policy viewers_read on millrace.run for select to millrace_viewer using (true);
create policy viewers_read on millrace.run_deadline for select to millrace_viewer using (true);
create policy viewers_read on millrace.run_watch for select to millrace_viewer using (true);
create policy viewers_read on millrace.live_key for select to millrace_viewer using (true);
create policy viewers_read on millrace.idempotency for select to millrace_viewer using (true);
create policy viewers_read on millrace.task for select to millrace_viewer using (true);
create policy viewers_read on millrace.waiting_task for select to millrace_viewer using (true);
create policy viewers_read on millrace.join_state for select to millrace_viewer using (true);
create policy viewers_read on millrace.map_item for select to millrace_viewer using (true);
create policy viewers_read on millrace.worker for select to millrace_viewer using (true);
create policy viewers_read on millrace.attempt for select to millrace_viewer using (true);
create policy viewers_read on millrace.event for select to millrace_viewer using (true);
create policy viewers_read on millrace.dead_letter for select to millrace_viewer using (true);
create policy viewers_read on millrace.checkpoint for select to millrace_viewer using (true);
create policy viewers_read on millrace.wait for select to millrace_viewer using (true);
create policy viewers_read on millrace.wait_signal for select to millrace_viewer using (true);
create policy viewers_read on millrace.signal for select to millrace_viewer using (true);
create policy viewers_read on millrace.approval for select to millrace_viewer using (true);
create policy viewers_read on millrace.approval_decision for select to millrace_viewer using (true);
create policy viewers_read on millrace.approval_delegation for select to millrace_viewer using (true);
create policy viewers_read on millrace.cancellation for select to millrace_viewer using (true);
create policy viewers_read on millrace.run_metadata for select to millrace_viewer using (true);
create policy viewers_read on millrace.step_progress for select to millrace_viewer using (true);
create policy viewers_read on millrace.run_metric for select to millrace_viewer using (true);
create policy viewers_read on millrace.stream_part for select to millrace_viewer using (true);
create policy viewers_read on millrace.migration for select to millrace_viewer using (true);
create policy viewers_read on millrace.function_set for select to millrace_viewer using (true);

grant execute on function millrace.read_outputs, millrace.run_account, millrace.run_progress, millrace.why, millrace.needs_version, millrace.plan_pipelines,
  millrace.plan_runs, millrace.pipeline_outcomes to millrace_viewer;

-- Whoever may read a run may follow it.

grant execute on function millrace.read_progress, millrace.follow_stream to millrace_viewer;

-- Applications start runs, and executors outside report their steps, as operators or as workers.

grant execute on function
  millrace.register_pipeline,
  millrace.start_run,
  millrace.start_runs,
  millrace.ensure_run,
  millrace.watch_run,
  millrace.start_step,
  millrace.heartbeat_step,
  millrace.log_step,
  millrace.report_step,
  millrace.complete_step,
  millrace.fail_step,
  millrace.release_step,
  millrace.complete_run,
  millrace.report_gap,
  millrace.send_signal,
  millrace.complete_wait
to millrace_operator, millrace_worker;

-- Workers claim tasks, say how they ended, and keep the history in order.

grant execute on function
  millrace.now,
  millrace.continue_run,
  millrace.register_worker,
  millrace.heartbeat_worker,
  millrace.sleep_worker,
  millrace.stop_worker,
  millrace.claim_tasks,
  millrace.hold_task,
  millrace.read_outcome,
  millrace.complete_tasks,
  millrace.fail_tasks,
  millrace.release_tasks,
  millrace.write_checkpoints,
  millrace.read_checkpoints,
  millrace.park_tasks,
  millrace.open_waits,
  millrace.read_children,
  millrace.log_tasks,
  millrace.report_tasks,
  millrace.list_held_tasks,
  millrace.create_partitions,
  millrace.prune_history
to millrace_worker;

-- Operators steer.

grant execute on function
  millrace.cancel_run,
  millrace.pause_run,
  millrace.resume_run,
  millrace.pause_pipeline,
  millrace.resume_pipeline,
  millrace.activate_pipeline,
  millrace.split_pipeline,
  millrace.decide_approval,
  millrace.delegate_approval,
  millrace.migrate_runs,
  millrace.pause_worker,
  millrace.resume_worker,
  millrace.drain_worker
to millrace_operator;

-- Admins change the settings of the whole installation.

grant insert, update, delete on millrace.setting to millrace_admin;
create policy admins_write on millrace.setting to millrace_admin using (true) with check (true);
