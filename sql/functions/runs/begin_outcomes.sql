-- The outcome of runs is known, and something follows it: what is under way of them is aborted, what they called is cancelled, and the first
-- step that follows begins as soon as nothing of them is in anybody's hands. From here on no silence fails them.
create or replace function millrace.begin_outcomes(run_ids uuid[], abort_reason text, child_reason text, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  perform abort_tasks(run_ids, begin_outcomes.abort_reason, at);
  perform begin_runs(run_ids, at);
  perform wake_runs(run_ids);
  delete from run_deadline d where d.run_id = any (run_ids);
  perform cancel_children(run_ids, child_reason, at);
  perform advance_outcomes(run_ids, at);
end $$;
comment on function millrace.begin_outcomes(uuid[], text, text, timestamptz) is 'Begins what follows the outcome of runs.';
