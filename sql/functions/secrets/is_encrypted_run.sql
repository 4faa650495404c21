-- Whether the pipeline of a run is encrypted, in the version that it has.
create or replace function millrace.is_encrypted_run(run_id uuid) returns boolean
language sql stable
as $$
  select exists (
    select from millrace.run r join millrace.pipeline_version v on v.slug = r.slug and v.version = r.version
     where r.id = is_encrypted_run.run_id and v.is_encrypted)
$$;
comment on function millrace.is_encrypted_run(uuid) is 'Whether the pipeline of a run is encrypted.';
