-- Refuses an artifact that is larger than one may be, or that brings its run over its bound.
create or replace function millrace.check_artifact_size(checked_run uuid, upload_id uuid, size bigint) returns void
language plpgsql stable
as $$
begin
  if check_artifact_size.size > millrace.artifact_limit('artifact_bytes_max') then
    raise exception 'Artifact ''%'' has more than % bytes, the most that one may have.',
      (select u.name from millrace.artifact_upload u where u.id = upload_id), millrace.artifact_limit('artifact_bytes_max')
      using errcode = 'MR040', hint = 'Write it in several parts, or raise the setting artifact_bytes_max.';
  end if;
  if millrace.run_artifact_bytes(checked_run) > millrace.artifact_limit('run_artifact_bytes_max') then
    raise exception 'The artifacts of run % have more than % bytes, the most that those of one run may have.', checked_run,
      millrace.artifact_limit('run_artifact_bytes_max')
      using errcode = 'MR041', hint = 'Write less, or raise the setting run_artifact_bytes_max.';
  end if;
end $$;
comment on function millrace.check_artifact_size(uuid, uuid, bigint) is 'Refuses an artifact that is too large, or too much for its run.';
