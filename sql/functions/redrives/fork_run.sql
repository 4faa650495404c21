-- Makes a new run that begins at a step of another one, which may be live: what stands before that step, and beside it, is copied as far as it is
-- final, so that it is not done again. With keep_checkpoints also what the step itself has stored of its durable calls. The other run stays as it is.
create or replace function millrace.fork_run(
  run_id uuid, step text, new_run_id uuid default null, version text default 'original', input jsonb default null, keep_checkpoints boolean default false,
  reason text default null)
returns table (created boolean, new_run uuid, refusal text, detail text)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
begin
  if fork_run.step is null then
    perform refuse_argument('step', 'the name of a step', null);
  end if;
  return query
    select c.created, c.run_id, c.refusal, c.detail
      from make_copy(fork_run.run_id, coalesce(fork_run.new_run_id, uuid_v7(millrace.now())), 'fork', fork_run.version, fork_run.step, fork_run.input, fork_run.keep_checkpoints,
                     fork_run.reason) c;
end $$;
comment on function millrace.fork_run(uuid, text, uuid, text, jsonb, boolean, text) is 'Makes a new run that begins at a step of another one.';
