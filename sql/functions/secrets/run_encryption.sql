-- What a reader needs to know of runs to decrypt what belongs to them: whether they are encrypted, and the steps whose outputs are theirs.
create or replace function millrace.run_encryption(run_ids uuid[])
returns table (run_id uuid, is_encrypted boolean, last_steps text[])
language plpgsql stable security definer set search_path = millrace, pg_temp
set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
begin
  return query
    select r.id, v.is_encrypted, d.needs
      from run r
      join pipeline_version v on v.slug = r.slug and v.version = r.version
      join step_definition d on d.slug = r.slug and d.version = r.version and d.step = '$end'
     where r.id = any (run_ids);
end $$;
comment on function millrace.run_encryption(uuid[]) is 'What a reader needs to know of runs to decrypt what belongs to them.';
