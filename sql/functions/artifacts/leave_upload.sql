-- Leaves what was being written to housekeeping: its source failed, or it was too much.
create or replace function millrace.leave_upload(worker_id uuid, upload_id uuid) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
begin
  update artifact_upload u set is_left = true, touched_at = millrace.now() where u.id = upload_id and u.worker_id = leave_upload.worker_id;
end $$;
comment on function millrace.leave_upload(uuid, uuid) is 'Leaves what was being written of an artifact to housekeeping.';
