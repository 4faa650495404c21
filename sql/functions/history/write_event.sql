-- Writes one entry of a run's history; the actor is the role that called.
create or replace function millrace.write_event(
  run_id uuid, kind text, detail jsonb, step text default null, item int default null, attempt int default null) returns void
language plpgsql
as $$
begin
  insert into millrace.event (run_id, at, actor, kind, step, item, attempt, detail)
  values (write_event.run_id, millrace.now(), actor(), write_event.kind, write_event.step, write_event.item, write_event.attempt,
          write_event.detail);
end $$;
comment on function millrace.write_event(uuid, text, jsonb, text, int, int) is 'Writes one entry of a run''s history.';
