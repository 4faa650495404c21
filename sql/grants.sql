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
  millrace.agent_request,
  millrace.cancellation,
  millrace.limit_rule,
  millrace.limit_target,
  millrace.limited_step,
  millrace.limit_state,
  millrace.start_rule,
  millrace.start_state,
  millrace.start_ticket,
  millrace.coalesced_start,
  millrace.held_start,
  millrace.limit_cursor,
  millrace.limit_end,
  millrace.turn_handler,
  millrace.turn_cursor,
  millrace.redrive,
  millrace.redrive_item,
  millrace.run_lineage,
  millrace.retry_allowance,
  millrace.failure_streak,
  millrace.schedule,
  millrace.firing,
  millrace.ping,
  millrace.run_metadata,
  millrace.step_progress,
  millrace.run_metric,
  millrace.stream_part,
  millrace.unsuccessful_run,
  millrace.cache_entry,
  millrace.cache_claim,
  millrace.artifact,
  millrace.artifact_chunk,
  millrace.artifact_upload,
  millrace.lock_request,
  millrace.secret,
  millrace.secret_read,
  millrace.callback,
  millrace.callback_delivery,
  millrace.callback_attempt,
  millrace.subscription,
  millrace.emitted_event,
  millrace.event_start,
  millrace.erasure,
  millrace.webhook,
  millrace.delivery,
  millrace.delivery_run,
  millrace.webhook_refusal,
  millrace.change_watch,
  millrace.change,
  millrace.change_run,
  millrace.change_gap,
  millrace.change_backfill,
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
create policy viewers_read on millrace.agent_request for select to millrace_viewer using (true);
create policy viewers_read on millrace.cancellation for select to millrace_viewer using (true);
create policy viewers_read on millrace.limit_rule for select to millrace_viewer using (true);
create policy viewers_read on millrace.limit_target for select to millrace_viewer using (true);
create policy viewers_read on millrace.limited_step for select to millrace_viewer using (true);
create policy viewers_read on millrace.limit_state for select to millrace_viewer using (true);
create policy viewers_read on millrace.start_rule for select to millrace_viewer using (true);
create policy viewers_read on millrace.start_state for select to millrace_viewer using (true);
create policy viewers_read on millrace.start_ticket for select to millrace_viewer using (true);
create policy viewers_read on millrace.coalesced_start for select to millrace_viewer using (true);
create policy viewers_read on millrace.held_start for select to millrace_viewer using (true);
create policy viewers_read on millrace.limit_cursor for select to millrace_viewer using (true);
create policy viewers_read on millrace.limit_end for select to millrace_viewer using (true);
create policy viewers_read on millrace.turn_handler for select to millrace_viewer using (true);
create policy viewers_read on millrace.turn_cursor for select to millrace_viewer using (true);
create policy viewers_read on millrace.redrive for select to millrace_viewer using (true);
create policy viewers_read on millrace.redrive_item for select to millrace_viewer using (true);
create policy viewers_read on millrace.run_lineage for select to millrace_viewer using (true);
create policy viewers_read on millrace.retry_allowance for select to millrace_viewer using (true);
create policy viewers_read on millrace.failure_streak for select to millrace_viewer using (true);
create policy viewers_read on millrace.schedule for select to millrace_viewer using (true);
create policy viewers_read on millrace.firing for select to millrace_viewer using (true);
create policy viewers_read on millrace.ping for select to millrace_viewer using (true);
create policy viewers_read on millrace.run_metadata for select to millrace_viewer using (true);
create policy viewers_read on millrace.step_progress for select to millrace_viewer using (true);
create policy viewers_read on millrace.run_metric for select to millrace_viewer using (true);
create policy viewers_read on millrace.stream_part for select to millrace_viewer using (true);
create policy viewers_read on millrace.unsuccessful_run for select to millrace_viewer using (true);
create policy viewers_read on millrace.cache_entry for select to millrace_viewer using (true);
create policy viewers_read on millrace.cache_claim for select to millrace_viewer using (true);
create policy viewers_read on millrace.artifact for select to millrace_viewer using (true);
create policy viewers_read on millrace.artifact_chunk for select to millrace_viewer using (true);
create policy viewers_read on millrace.artifact_upload for select to millrace_viewer using (true);
create policy viewers_read on millrace.lock_request for select to millrace_viewer using (true);
create policy viewers_read on millrace.secret for select to millrace_viewer using (true);
create policy viewers_read on millrace.secret_read for select to millrace_viewer using (true);
create policy viewers_read on millrace.callback for select to millrace_viewer using (true);
create policy viewers_read on millrace.callback_delivery for select to millrace_viewer using (true);
create policy viewers_read on millrace.callback_attempt for select to millrace_viewer using (true);
create policy viewers_read on millrace.subscription for select to millrace_viewer using (true);
create policy viewers_read on millrace.emitted_event for select to millrace_viewer using (true);
create policy viewers_read on millrace.event_start for select to millrace_viewer using (true);
create policy viewers_read on millrace.erasure for select to millrace_viewer using (true);
create policy viewers_read on millrace.webhook for select to millrace_viewer using (true);
create policy viewers_read on millrace.delivery for select to millrace_viewer using (true);
create policy viewers_read on millrace.delivery_run for select to millrace_viewer using (true);
create policy viewers_read on millrace.webhook_refusal for select to millrace_viewer using (true);
create policy viewers_read on millrace.change_watch for select to millrace_viewer using (true);
create policy viewers_read on millrace.change for select to millrace_viewer using (true);
create policy viewers_read on millrace.change_run for select to millrace_viewer using (true);
create policy viewers_read on millrace.change_gap for select to millrace_viewer using (true);
create policy viewers_read on millrace.change_backfill for select to millrace_viewer using (true);
create policy viewers_read on millrace.migration for select to millrace_viewer using (true);
create policy viewers_read on millrace.function_set for select to millrace_viewer using (true);

grant execute on function millrace.read_outputs, millrace.list_outputs, millrace.run_account, millrace.run_progress, millrace.why, millrace.needs_version, millrace.plan_pipelines,
  millrace.plan_runs, millrace.pipeline_outcomes, millrace.plan_redrive to millrace_viewer;

-- What is watched. It is installed by the owner of the schema alone. Functions of row triggers stand nowhere here: they fire without a right, and whoever
-- had it could hang them on a table of their own.

grant execute on function millrace.list_watches, millrace.plan_watches to millrace_viewer;

-- Whoever may read a schedule may ask when it is due next.

grant execute on function millrace.now to millrace_viewer;

-- Whether this database is a copy is no secret; that it runs what came with it is an admin's decision.

grant execute on function millrace.is_copied_database to millrace_viewer;
grant execute on function millrace.enable_database to millrace_admin;

-- Whoever may read a run may follow it.

grant execute on function millrace.read_progress, millrace.follow_stream, millrace.list_limits, millrace.full_lanes, millrace.now, millrace.read_cron_jobs to millrace_viewer;

-- Applications start runs, and executors outside report their steps, as operators or as workers.

grant execute on function
  millrace.register_pipeline,
  millrace.start_run,
  millrace.start_runs,
  millrace.ensure_run,
  millrace.watch_run,
  millrace.watch_runs,
  millrace.tell_pause,
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
  millrace.add_callbacks,
  millrace.emit,
  millrace.complete_wait,
  millrace.invalidate_cache
to millrace_operator, millrace_worker;

-- Workers claim tasks, say how they ended, and keep the history in order.

grant execute on function
  millrace.now,
  millrace.continue_run,
  millrace.register_worker,
  millrace.heartbeat_worker,
  millrace.sleep_worker,
  millrace.stop_worker,
  millrace.sweep_machine,
  millrace.claim_batches,
  millrace.claim_tasks,
  millrace.hold_task,
  millrace.read_outcome, millrace.read_item_output,
  millrace.complete_tasks,
  millrace.fail_tasks,
  millrace.release_tasks,
  millrace.write_checkpoints,
  millrace.write_step_checkpoints,
  millrace.read_checkpoints,
  millrace.forget_errors,
  millrace.park_tasks,
  millrace.open_waits,
  millrace.read_children,
  millrace.log_tasks,
  millrace.report_tasks,
  millrace.look_up_cache,
  millrace.store_cache,
  millrace.drop_cache_claims,
  millrace.define_code_limits,
  millrace.define_code_watches,
  millrace.deliver_changes,
  millrace.work_backfills,
  millrace.define_code_callbacks,
  millrace.claim_callbacks,
  millrace.record_callback,
  millrace.define_code_subscriptions,
  millrace.work_events,
  millrace.take_lock,
  millrace.release_lock,
  millrace.back_off,
  millrace.open_upload,
  millrace.write_chunk,
  millrace.finish_upload,
  millrace.leave_upload,
  millrace.forget_uploads,
  millrace.prune_cache,
  millrace.prune_locks,
  millrace.prune_uploads,
  millrace.prune_deliveries,
  millrace.list_held_tasks,
  millrace.work_redrives,
  millrace.define_code_schedules,
  millrace.due_schedules,
  millrace.fire_schedules,
  millrace.settle_firings,
  millrace.mark_overdue,
  millrace.take_verifications,
  millrace.verify_firing,
  millrace.take_pings,
  millrace.settle_ping,
  millrace.create_partitions,
  millrace.prune_history
to millrace_worker;

-- Operators steer.

grant execute on function
  millrace.start_redrive,
  millrace.abort_redrive,
  millrace.fork_run,
  millrace.rerun_run,
  millrace.prioritize_run,
  millrace.cancel_run,
  millrace.pause_run,
  millrace.resume_run,
  millrace.pause_pipeline,
  millrace.resume_pipeline,
  millrace.resume_key,
  millrace.activate_pipeline,
  millrace.split_pipeline,
  millrace.define_limit,
  millrace.remove_limit,
  millrace.resend_callback,
  millrace.define_subscription,
  millrace.pause_subscription,
  millrace.remove_subscription,
  millrace.define_watch,
  millrace.refuse_watch_revision,
  millrace.pause_watch,
  millrace.remove_watch,
  millrace.abort_backfill,
  millrace.define_start_rule,
  millrace.remove_start_rule,
  millrace.define_schedule,
  millrace.remove_schedule,
  millrace.pause_schedule,
  millrace.resume_schedule,
  millrace.trigger_schedule,
  millrace.backfill_schedule,
  millrace.adopt_cron_job,
  millrace.decide_approval,
  millrace.delegate_approval,
  millrace.ask_agent_request,
  millrace.approve_agent_request,
  millrace.answer_agent_request,
  millrace.reject_agent_request,
  millrace.migrate_runs,
  millrace.pause_worker,
  millrace.resume_worker,
  millrace.drain_worker
to millrace_operator;

-- Readers decrypt with a key ring of their own; nobody but the functions below reads the stored values of secrets.

grant execute on function millrace.run_encryption, millrace.list_secrets, millrace.agent_request_state to millrace_viewer;
grant execute on function millrace.find_secret, millrace.record_secret_read to millrace_worker;

-- Who listens for webhooks, or replays what came, does it as a worker; an operator may replay as well, and reads no secret for that.

grant execute on function millrace.define_webhooks, millrace.receive_deliveries to millrace_operator, millrace_worker;
grant execute on function millrace.read_webhook_secrets to millrace_worker;

-- Admins keep secrets, encrypt anew, erase, and change the settings of the whole installation.

grant execute on function
  millrace.refuse_secret_version,
  millrace.write_secret,
  millrace.remove_secret,
  millrace.read_sealed,
  millrace.write_sealed,
  millrace.read_sealed_secrets,
  millrace.write_sealed_secrets,
  millrace.read_sealed_deliveries,
  millrace.write_sealed_deliveries,
  millrace.overlap_secret,
  millrace.delete_run,
  millrace.erase_tenant
to millrace_admin;

-- Keys, and what is kept of requests, are for admins alone, and so for the login of the server. Nobody reads a digest over a table: only the function
-- that a server compares a key by gives it. Workers clear away what is old.

grant select (id, name, prefix, role, scopes, tenant, pipelines, payloads, agent, requests_per_hour, service_account, person_id, replaces, created_at,
  created_by, expires_at, replaced_at, revoked_at, revoked_by, revoked_because) on millrace.api_key to millrace_admin;
grant select on millrace.service_account, millrace.api_key_use, millrace.token_key, millrace.answered_request to millrace_admin;
grant select, insert, update, delete on millrace.request_count to millrace_admin;
create policy admins_read on millrace.service_account for select to millrace_admin using (true);
create policy admins_read on millrace.api_key for select to millrace_admin using (true);
create policy admins_read on millrace.api_key_use for select to millrace_admin using (true);
create policy admins_read on millrace.token_key for select to millrace_admin using (true);
create policy admins_read on millrace.answered_request for select to millrace_admin using (true);
create policy admins_count on millrace.request_count to millrace_admin using (true) with check (true);
grant execute on function
  millrace.create_api_key,
  millrace.find_api_key,
  millrace.list_api_keys,
  millrace.rotate_api_key,
  millrace.revoke_api_key,
  millrace.record_key_uses,
  millrace.create_service_account,
  millrace.disable_service_account,
  millrace.publish_token_key,
  millrace.find_token_key,
  millrace.claim_request,
  millrace.answer_request
to millrace_admin;
grant execute on function millrace.prune_requests to millrace_worker;
grant execute on function millrace.list_key_warnings to millrace_viewer;

-- Application users see the rows of their own tenant, and of those the columns of the views. The sub-select is evaluated once a statement.

grant usage on schema millrace to millrace_tenant, millrace_gateway;
grant select (id, slug, version, state, priority, input, output, error, created_at, available_at, started_at, finished_at, paused_at) on millrace.run to millrace_tenant;
grant select (id, run_id, step, item, name, state, title, data, roles, people, quorum, form, created_at, expires_at, decided_at) on millrace.approval to millrace_tenant;
grant select on millrace.own_run, millrace.own_approval to millrace_tenant;
create policy tenants_read on millrace.run for select to millrace_tenant using (tenant = (select millrace.current_tenant()));
create policy tenants_read on millrace.approval for select to millrace_tenant using (tenant = (select millrace.current_tenant()));
grant execute on function millrace.current_tenant, millrace.decide_own_approval to millrace_tenant;
grant execute on function millrace.act_for_tenant to millrace_gateway;
grant execute on function millrace.application_user, millrace.assign_tenant to millrace_admin;
grant select on millrace.tenant_role to millrace_viewer;
create policy viewers_read on millrace.tenant_role for select to millrace_viewer using (true);

-- The audit trail is read by functions alone, and sealed by whoever keeps house.

grant execute on function millrace.seal_audit_trail to millrace_worker;
grant execute on function
  millrace.list_audit_entries,
  millrace.export_audit_trail,
  millrace.verify_audit_trail,
  millrace.audit_guards,
  millrace.prune_audit_trail
to millrace_admin;

grant insert, update, delete on millrace.setting to millrace_admin;
grant execute on function millrace.number_settings, millrace.setting_number to millrace_viewer;
create policy admins_write on millrace.setting to millrace_admin using (true) with check (true);

-- People are kept by admins; what signs them in, the server, is one of them.

grant execute on function
  millrace.list_people,
  millrace.list_sessions,
  millrace.invite_person,
  millrace.link_person,
  millrace.change_person,
  millrace.disable_person,
  millrace.enable_person,
  millrace.offer_first_admin,
  millrace.show_link,
  millrace.use_link,
  millrace.set_password,
  millrace.link_provider,
  millrace.begin_session,
  millrace.find_session,
  millrace.read_session,
  millrace.end_session,
  millrace.end_sessions,
  millrace.begin_sign_in,
  millrace.clear_sign_in
to millrace_admin;

grant select on millrace.person, millrace.person_account, millrace.person_session, millrace.person_link to millrace_admin;
create policy admins_read on millrace.person for select to millrace_admin using (true);
create policy admins_read on millrace.person_account for select to millrace_admin using (true);
create policy admins_read on millrace.person_session for select to millrace_admin using (true);
create policy admins_read on millrace.person_link for select to millrace_admin using (true);
