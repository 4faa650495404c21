-- Writes how a step ended where no attempt of a worker tells it: a map without items, a step that was skipped with what it needs, or one
-- whose onError took the place of its error.
create or replace function millrace.record_outcome(
  run_id uuid, step text, attempt int, outcome text, output jsonb, error jsonb, reason text, at timestamptz) returns void
language plpgsql
as $$
begin
  insert into millrace.attempt (run_id, step, item, attempt, outcome, output, error, reason, ready_at, started_at, finished_at)
  values (record_outcome.run_id, record_outcome.step, -1, record_outcome.attempt, record_outcome.outcome, record_outcome.output,
          record_outcome.error, record_outcome.reason, record_outcome.at, record_outcome.at, record_outcome.at);
end $$;
comment on function millrace.record_outcome(uuid, text, int, text, jsonb, jsonb, text, timestamptz)
  is 'Writes how a step ended where no attempt of a worker tells it.';
