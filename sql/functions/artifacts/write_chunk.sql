-- Stores the next chunk of an artifact that is being written; one that came already, since an answer was lost, is left as it is. False where the
-- attempt no longer holds its task. All that is being written for the run is locked, in the order of the ids: so the bound of the run holds
-- exactly.
create or replace function millrace.write_chunk(
  worker_id uuid, lock_key int, task_id bigint, step_id int, attempt int, upload_id uuid, "position" int, bytes bytea)
returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  held task := fence_attempt(write_chunk.worker_id, write_chunk.lock_key, write_chunk.task_id, write_chunk.step_id, write_chunk.attempt);
  new_size bigint;
begin
  if held.id is null then
    return false;
  end if;
  perform from artifact_upload u where u.of_run = held.run_id and not u.is_left order by u.id for update;
  if not exists (select from artifact_upload u where u.id = upload_id and u.of_run = held.run_id and not u.is_left) then
    return false;
  end if;
  insert into artifact_chunk (run_id, artifact_id, position, bytes) values (held.run_id, upload_id, write_chunk.position, write_chunk.bytes)
      on conflict do nothing;
  if not found then
    return true;
  end if;
  update artifact_upload u set size = u.size + octet_length(write_chunk.bytes), touched_at = millrace.now() where u.id = upload_id
  returning u.size into new_size;
  perform check_artifact_size(held.run_id, upload_id, new_size);
  return true;
end $$;
comment on function millrace.write_chunk(uuid, int, bigint, int, int, uuid, int, bytea) is 'Stores the next chunk of an artifact that is being written.';
