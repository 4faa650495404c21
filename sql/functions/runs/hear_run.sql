-- Something was heard of a run from outside: its deadline moves. This is the last thing that a verb does: the row of the deadline is the
-- last in the order of locks (see lock_run_tasks), and who has it waits for nothing any more.
create or replace function millrace.hear_run(run_id uuid) returns void
language plpgsql
as $$
begin
  update millrace.run_deadline d set deadline_at = millrace.now() + make_interval(secs => d.silence_seconds) where d.run_id = hear_run.run_id;
end $$;
comment on function millrace.hear_run(uuid) is 'Something was heard of a run from outside: its deadline moves.';
