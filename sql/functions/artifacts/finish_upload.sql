-- Makes an artifact visible, now that all of its bytes are there: in one transaction, and only where the attempt still holds its task. What the same
-- step wrote under the name before is replaced, and its bytes are left to housekeeping. True again where its answer was lost.
create or replace function millrace.finish_upload(
  worker_id uuid, lock_key int, task_id bigint, step_id int, attempt int, upload_id uuid, size bigint, sha256 bytea)
returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  held task := fence_attempt(finish_upload.worker_id, finish_upload.lock_key, finish_upload.task_id, finish_upload.step_id, finish_upload.attempt);
  upload artifact_upload;
  step_name text;
begin
  if held.id is null then
    return false;
  end if;
  perform from artifact_upload u where u.of_run = held.run_id and not u.is_left order by u.id for update;
  select u.* into upload from artifact_upload u where u.id = upload_id and u.of_run = held.run_id and not u.is_left;
  if upload.id is null then
    return exists (select from artifact a where a.run_id = held.run_id and a.id = upload_id);
  end if;
  if upload.store = 'postgres' and upload.size <> finish_upload.size then
    raise exception 'Artifact ''%'' has % bytes, and % of them were stored.', upload.name, finish_upload.size, upload.size
      using errcode = 'MR043', hint = 'Write it again.';
  end if;
  update artifact_upload u set size = finish_upload.size where u.id = upload_id;
  perform check_artifact_size(held.run_id, upload_id, finish_upload.size);
  -- Others may have begun at the same time, and none saw the other.
  if (select count(*) from artifact a where a.run_id = held.run_id and a.name <> upload.name) >= artifact_limit('run_artifacts_max') then
    raise exception 'Run % has % artifacts, the most that one run may have.', held.run_id, artifact_limit('run_artifacts_max')
      using errcode = 'MR041', hint = 'Write several things into one, or raise the setting run_artifacts_max.';
  end if;
  select d.step into step_name from step_definition d where d.id = held.step_id;

  with replaced as (
    delete from artifact a where a.run_id = held.run_id and a.name = upload.name and a.step = step_name and a.item = held.item returning a.*
  )
  insert into artifact_upload (id, of_run, name, type, task_id, step_id, attempt, store, location, size, touched_at, is_left)
  select r.id, r.run_id, '', r.type, held.id, held.step_id, r.attempt, r.store, r.location, r.size, at, true from replaced r;
  insert into artifact (run_id, name, id, step, item, attempt, type, size, sha256, store, location, created_at)
  values (held.run_id, upload.name, upload.id, step_name, held.item, held.attempt, upload.type, finish_upload.size, finish_upload.sha256,
          upload.store, upload.location, at)
      on conflict (run_id, name) do nothing;
  if not found then
    raise exception 'Run % has an artifact ''%'' already: another step wrote it.', held.run_id, upload.name
      using errcode = 'MR042', hint = 'Give each artifact of a run a name of its own, with the place of the item in a map.';
  end if;
  delete from artifact_upload u where u.id = upload_id;
  perform write_event(held.run_id, 'artifact.written',
    jsonb_build_object('name', upload.name, 'type', upload.type, 'size', finish_upload.size), step_name, held.item, held.attempt);
  return true;
end $$;
comment on function millrace.finish_upload(uuid, int, bigint, int, int, uuid, bigint, bytea) is 'Makes an artifact visible, now that all of its bytes are there.';
