-- Removes bytes that no artifact shows and that were not touched for ten minutes, at most so many chunks. What lies in another store is only
-- marked as left: a worker that has the store removes it there first, and then says so by forget_uploads.
create or replace function millrace.prune_uploads(chunks int) returns boolean
language plpgsql security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  old record;
  room int := prune_uploads.chunks;
  removed int;
begin
  for old in
    select u.id, u.of_run, u.store from artifact_upload u
     where u.touched_at < millrace.now() - interval '10 minutes'
       and (u.is_left or not exists (
             select from task t where t.id = u.task_id and t.step_id = u.step_id and t.attempt = u.attempt and t.worker_id = u.worker_id))
       and (u.store = 'postgres' or not u.is_left)
     order by u.touched_at limit 100 for update skip locked
  loop
    if old.store <> 'postgres' then
      update artifact_upload u set is_left = true where u.id = old.id;
      continue;
    end if;
    delete from artifact_chunk c
     where c.run_id = old.of_run and c.artifact_id = old.id
       and c.position in (select d.position from artifact_chunk d where d.run_id = old.of_run and d.artifact_id = old.id limit room);
    get diagnostics removed = row_count;
    room := room - removed;
    if room <= 0 then
      return true;
    end if;
    delete from artifact_upload u where u.id = old.id;
  end loop;
  return false;
end $$;
comment on function millrace.prune_uploads(int) is 'Removes bytes that no artifact shows, a batch at a time; answers whether there may be more.';
