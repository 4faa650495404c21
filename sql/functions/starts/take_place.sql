-- A newcomer takes the place of the run of its key that is in progress: that one is to be cancelled, by the next sweep, so that a start waits
-- for nobody who has that run at hand; the newcomer begins once it has ended. The account of both says so.
create or replace function millrace.take_place(new_run uuid, other uuid, rule text, due_at timestamptz, at timestamptz) returns void
language plpgsql
as $$
begin
  insert into millrace.cancellation (run_id, reason, asked_at)
  values (other, format('run %s took its place, by rule ''%s'' on starts', new_run, rule), at)
      on conflict (run_id) do nothing;
  insert into millrace.held_start (run_id, behind_run, rule, available_at) values (new_run, other, rule, due_at) on conflict do nothing;
  perform millrace.write_event(new_run, 'run.took_place', jsonb_build_object('of', other, 'rule', rule));
end $$;
comment on function millrace.take_place(uuid, uuid, text, timestamptz, timestamptz) is 'A newcomer takes the place of the run of its key that is in progress.';
