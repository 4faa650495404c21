-- Makes a new run with the input of another one, or with an edited one, from the start. The other run stays as it is.
create or replace function millrace.rerun_run(
  run_id uuid, new_run_id uuid default null, version text default 'original', input jsonb default null, reason text default null)
returns table (created boolean, new_run uuid, refusal text, detail text)
language plpgsql security definer set search_path = millrace, pg_temp
as $$
begin
  return query
    select c.created, c.run_id, c.refusal, c.detail
      from make_copy(rerun_run.run_id, coalesce(rerun_run.new_run_id, uuid_v7(millrace.now())), 'rerun', rerun_run.version, null, rerun_run.input, false, rerun_run.reason) c;
end $$;
comment on function millrace.rerun_run(uuid, uuid, text, jsonb, text) is 'Makes a new run with the input of another one, or with an edited one.';
