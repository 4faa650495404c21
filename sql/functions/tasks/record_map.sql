-- Writes how a map ended that has no items to tell it: skipped, completed over an empty list, or failed.
create or replace function millrace.record_map(
  run_id uuid, step text, outcome text, output jsonb, error jsonb, reason text, at timestamptz) returns void
language plpgsql
as $$
begin
  insert into millrace.attempt (run_id, step, item, attempt, outcome, output, error, reason, ready_at, started_at, finished_at)
  values (record_map.run_id, record_map.step, -1, 1, record_map.outcome, record_map.output, record_map.error, record_map.reason,
          record_map.at, record_map.at, record_map.at);
end $$;
comment on function millrace.record_map(uuid, text, text, jsonb, jsonb, text, timestamptz) is 'Writes how a map without items ended.';
