-- Of the runs given, those that stand still for want of a worker: a step of theirs is ready, no live worker serves its version on its
-- queue, and no other step of theirs is in anybody's hands. It lies there without using an attempt until such a worker comes. Runs that
-- executors outside report need none.
create or replace function millrace.needs_version(run_ids uuid[])
returns table (run_id uuid, pipeline text, version int, queue text, step text)
language plpgsql stable security definer set search_path = millrace, pg_temp
as $$
#variable_conflict use_column
declare
  served int[] := served_handlers(millrace.now());
begin
  return query
    select distinct on (t.run_id) t.run_id, h.slug, h.version, h.queue, d.step
      from task t join handler h on h.id = t.handler join step_definition d on d.id = t.step_id join run r on r.id = t.run_id
     where t.run_id = any (run_ids) and t.worker_id is null and t.handler <> all (served) and r.started_via <> 'outside'
       and not exists (select from task other where other.run_id = t.run_id and (other.worker_id is not null or other.handler = any (served)))
     order by t.run_id, d.position, t.item;
end $$;
comment on function millrace.needs_version(uuid[]) is 'Of the runs given, those whose ready steps no live worker serves.';
