-- A step failed for good, and its onError says that its run goes on: it is skipped, or the fallback is its output. The account tells why.
create or replace function millrace.pass_over_error(
  run_id uuid, definition millrace.step_definition, attempt int, error jsonb, at timestamptz) returns void
language plpgsql
as $$
begin
  perform millrace.record_outcome(pass_over_error.run_id, (definition).step, pass_over_error.attempt,
    case (definition).on_error when 'fallback' then 'completed' else 'skipped' end, (definition).fallback, null,
    format('it failed (%s), and its onError is %s', concat_ws(': ', error ->> 'code', rtrim(left(error ->> 'message', 300), '.')), (definition).on_error), at);
end $$;
comment on function millrace.pass_over_error(uuid, millrace.step_definition, int, jsonb, timestamptz)
  is 'Writes the outcome that onError gives a step in place of its error.';
