-- What a worker has removed from a store of its own.
create or replace function millrace.forget_uploads(upload_ids uuid[]) returns void
language plpgsql security definer set search_path = millrace, pg_temp
as $$
begin
  delete from artifact_upload u where u.id = any (upload_ids) and u.is_left;
end $$;
comment on function millrace.forget_uploads(uuid[]) is 'Forgets bytes that were removed from another store.';
