-- Runs of which nothing is left to claim, and of which nothing waits for another try, are waiting: the only place where a run becomes so.
create or replace function millrace.wait_runs(run_ids uuid[]) returns void
language plpgsql
as $$
begin
  perform 1 from millrace.run r where r.id = any (run_ids) order by r.id for update;
  update millrace.run r set state = 'waiting'
   where r.id = any (run_ids) and r.state = 'running'
     and not exists (select from millrace.task t where t.run_id = any (array[r.id]))
     and not exists (select from millrace.waiting_task w where w.run_id = any (array[r.id]) and w.reason <> 'waiting');
end $$;
comment on function millrace.wait_runs(uuid[]) is 'Runs of which all tasks are parked are waiting.';
