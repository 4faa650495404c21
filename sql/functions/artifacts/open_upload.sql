-- Begins to write an artifact, which nobody sees before it is finished. Answers how many bytes it may have; null where the attempt no longer
-- holds its task. A later attempt, or the same step again, may replace what a step wrote; another step's artifact it may not.
create or replace function millrace.open_upload(
  worker_id uuid, lock_key int, task_id bigint, step_id int, attempt int, upload_id uuid, name text, type text, store text, location text)
returns bigint
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  held task := fence_attempt(open_upload.worker_id, open_upload.lock_key, open_upload.task_id, open_upload.step_id, open_upload.attempt);
  other artifact;
begin
  if held.id is null then
    return null;
  end if;
  if (select v.is_encrypted from step_definition d join pipeline_version v on v.slug = d.slug and v.version = d.version where d.id = held.step_id) then
    raise exception 'The pipeline of run % is encrypted, and artifacts are stored as they are.', held.run_id
      using errcode = 'MR044', hint = 'Encrypt the bytes yourself in a pipeline without `encrypt`, or store them elsewhere.';
  end if;
  select a.* into other from artifact a join step_definition d on d.id = held.step_id
   where a.run_id = held.run_id and a.name = open_upload.name and (a.step <> d.step or a.item <> held.item);
  if found then
    raise exception 'Run % has an artifact ''%'' already: step ''%''% wrote it.', held.run_id, open_upload.name, other.step,
      case when other.item >= 0 then format(', item %s,', other.item) else '' end
      using errcode = 'MR042', hint = 'Give each artifact of a run a name of its own, with the place of the item in a map.';
  end if;
  if (select count(*) from artifact a where a.run_id = held.run_id and a.name <> open_upload.name)
     + (select count(*) from artifact_upload u join task t on t.id = u.task_id and t.step_id = u.step_id and t.attempt = u.attempt and t.worker_id = u.worker_id
         where u.of_run = held.run_id and not u.is_left)
     >= artifact_limit('run_artifacts_max') then
    raise exception 'Run % has % artifacts, the most that one run may have.', held.run_id, artifact_limit('run_artifacts_max')
      using errcode = 'MR041', hint = 'Write several things into one, or raise the setting run_artifacts_max.';
  end if;
  insert into artifact_upload (id, of_run, name, type, task_id, step_id, attempt, worker_id, store, location, touched_at)
  values (upload_id, held.run_id, open_upload.name, open_upload.type, held.id, held.step_id, held.attempt, held.worker_id,
          open_upload.store, open_upload.location, millrace.now())
      on conflict (id) do nothing;
  return least(artifact_limit('artifact_bytes_max'), artifact_limit('run_artifact_bytes_max') - run_artifact_bytes(held.run_id));
end $$;
comment on function millrace.open_upload(uuid, int, bigint, int, int, uuid, text, text, text, text) is 'Begins to write an artifact; answers how many bytes it may have.';
