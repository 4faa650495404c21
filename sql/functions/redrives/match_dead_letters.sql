-- The dead letters that a filter lets through. Its members: runs (ids), pipeline, tenant, step, code, fingerprint, since and until (when they failed).
create or replace function millrace.match_dead_letters(filter jsonb)
returns table (run_id uuid, failed_at timestamptz)
language plpgsql stable
as $$
#variable_conflict use_column
begin
  return query
    select l.run_id, l.failed_at from millrace.dead_letter l
     where (filter -> 'runs' is null or l.run_id = any (array(select r.id::uuid from jsonb_array_elements_text(filter -> 'runs') r(id))))
       and (filter ->> 'pipeline' is null or l.slug = filter ->> 'pipeline')
       and (filter ->> 'tenant' is null or l.tenant = filter ->> 'tenant')
       and (filter ->> 'step' is null or l.step = filter ->> 'step')
       and (filter ->> 'code' is null or l.error ->> 'code' = filter ->> 'code')
       and (filter ->> 'fingerprint' is null or l.fingerprint = filter ->> 'fingerprint'
         or (l.fingerprint is null and millrace.error_fingerprint(l.slug, l.step, l.error) = filter ->> 'fingerprint'))
       and (filter ->> 'since' is null or l.failed_at >= (filter ->> 'since')::timestamptz)
       and (filter ->> 'until' is null or l.failed_at < (filter ->> 'until')::timestamptz);
end $$;
comment on function millrace.match_dead_letters(jsonb) is 'The dead letters that a filter lets through.';
