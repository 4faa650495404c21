-- Counts these workers as gone, whose locks the caller has, and takes back what they held.
create or replace function millrace.bury_workers(worker_ids uuid[], at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
  update millrace.worker w
     set state = 'gone', gone_at = at, sleeping = false,
         gone_reason = case when w.lease_expires_at < at then 'its lease ran out' else 'its process died' end
   where w.id = any (worker_ids);
  perform millrace.take_back_tasks(worker_ids, at);
end $$;
comment on function millrace.bury_workers(uuid[], timestamptz) is 'Counts workers as gone and takes back what they held.';
