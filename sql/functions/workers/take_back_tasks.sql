-- Takes back what workers held that were counted as gone.
create or replace function millrace.take_back_tasks(worker_ids uuid[], at timestamptz) returns void
language plpgsql
as $$
begin
  perform millrace.reclaim_tasks(held.worker_id, held.task_ids,
    case w.kind when 'outside' then format('The executor outside, ''%s'', is gone.', w.name)
                else format('Worker ''%s'' is gone: %s.', w.name, w.gone_reason) end,
    at, case w.kind when 'outside' then 'executor_gone' else 'worker_lost' end)
     from (select t.worker_id, array_agg(t.id) as task_ids from millrace.task t where t.worker_id = any (worker_ids) group by t.worker_id) held
     join millrace.worker w on w.id = held.worker_id;
end $$;
comment on function millrace.take_back_tasks(uuid[], timestamptz) is 'Takes back what workers held that were counted as gone.';
