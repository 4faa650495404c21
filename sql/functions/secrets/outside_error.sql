-- The error of an executor outside, as it is stored: a reason that is no object becomes one. Of an encrypted pipeline only the code is kept of one in
-- the clear, and whether and when to try again, as of those that workers encrypt: the failure counts, and is not refused for its words.
create or replace function millrace.outside_error(run_id uuid, error jsonb) returns jsonb
language sql stable
as $$
  select case
    when jsonb_typeof(outside_error.error) is distinct from 'object' then jsonb_build_object('code', 'unknown', 'message',
      case when outside_error.error #>> '{}' is null then 'No reason was given.'
           when millrace.is_encrypted_run(outside_error.run_id) then '[hidden]'
           else outside_error.error #>> '{}' end)
    when not millrace.is_sealed(outside_error.error) and millrace.is_encrypted_run(outside_error.run_id) then
      '{"message": "[hidden]"}' || (
        select coalesce(jsonb_object_agg(e.name, e.value), '{}') from jsonb_each(outside_error.error) e(name, value)
         where e.name in ('code', 'classes', 'retryable', 'retry_at', 'retry_after_ms'))
    else outside_error.error end
$$;
comment on function millrace.outside_error(uuid, jsonb) is 'The error of an executor outside, as it is stored: of an encrypted pipeline without the words that came in the clear.';
