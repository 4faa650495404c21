-- What a worker's steps say while they run, in one batch: progress, metadata, metrics, parts of a stream. Answers with the tasks that no
-- longer hold, whose words are dropped since a zombie can't write, and with the bounds that others ran into. An attempt that was told to
-- stop writes no part any more: who follows the stream has left at the end of the run. A number says which part of its attempt one is, from 0.
create or replace function millrace.report_tasks(
  worker_id uuid, lock_key int, task_ids bigint[], step_ids int[], attempts int[], kinds text[], bodies jsonb[], numbers int[])
returns table (task_id bigint, code text)
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
declare
  held_tasks bigint[];
  run_ids uuid[];
  steps text[];
  items int[];
  held_attempts int[];
  held_kinds text[];
  held_bodies jsonb[];
  held_numbers int[];
begin
  if not enter_worker(report_tasks.worker_id, report_tasks.lock_key) then
    return query select distinct lost.id, 'attempt_lost' from unnest(task_ids) lost(id);
    return;
  end if;
  with said as (
    select s.* from unnest(task_ids, step_ids, attempts, kinds, bodies, numbers) with ordinality s(task_id, step_id, attempt, kind, body, number, n)
  ), held as materialized (
    select t.id, t.run_id, t.step_id, t.item, t.attempt, t.aborted_at from task t
     where t.id = any (task_ids) and t.worker_id = report_tasks.worker_id
     order by t.id
       for share
  )
  select array_agg(h.id order by s.n), array_agg(h.run_id order by s.n), array_agg(d.step order by s.n), array_agg(h.item order by s.n),
         array_agg(h.attempt order by s.n), array_agg(s.kind order by s.n), array_agg(s.body order by s.n), array_agg(s.number order by s.n)
    into held_tasks, run_ids, steps, items, held_attempts, held_kinds, held_bodies, held_numbers
    from said s
    join held h on h.id = s.task_id and h.step_id = s.step_id and h.attempt = s.attempt and (s.kind <> 'part' or h.aborted_at is null)
    join step_definition d on d.id = h.step_id;
  return query select distinct lost.id, 'attempt_lost' from unnest(task_ids) lost(id) where lost.id <> all (coalesce(held_tasks, '{}'));
  if held_tasks is not null then
    return query select distinct held_tasks[k.n], k.code from keep_reports(run_ids, steps, items, held_attempts, held_kinds, held_bodies, held_numbers) k;
  end if;
end $$;
comment on function millrace.report_tasks(uuid, int, bigint[], int[], int[], text[], jsonb[], int[]) is 'What a worker''s steps say while they run; answers what was not kept, and why.';
