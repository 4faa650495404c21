-- A line of a step's log, refused when the attempt no longer holds the step. What is longer than 4,000 characters is cut.
create or replace function millrace.log_step(
  run_id uuid, step text, attempt int, message text, fields jsonb default '{}', item int default -1) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
begin
  perform held_step(log_step.run_id, log_step.step, log_step.attempt, log_step.item);
  if log_step.message is null then
    perform refuse_argument('message', 'a text', null);
  end if;
  if jsonb_typeof(log_step.fields) is distinct from 'object' then
    perform refuse_argument('fields', 'a JSON object', 'a JSON ' || jsonb_typeof(log_step.fields));
  end if;
  if log_step.fields <> '{}' then
    perform refuse_clear_words(log_step.run_id, log_step.step, 'the fields of a log line', log_step.fields);
  end if;
  perform write_event(log_step.run_id, 'step.log', jsonb_build_object('message', left(log_step.message, 4000), 'fields', log_step.fields),
    log_step.step, log_step.item, log_step.attempt);
  perform hear_run(log_step.run_id);
end $$;
comment on function millrace.log_step(uuid, text, int, text, jsonb, int) is 'A line of a step''s log.';
