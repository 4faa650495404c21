-- Takes the payload out of the events that started these runs, before the runs are erased: that they were emitted stays. Only of those that are worked
-- off: what is not yet started by one would start without its input. Answers how many.
create or replace function millrace.forget_events(run_ids uuid[]) returns bigint
language plpgsql
as $$
#variable_conflict use_column
declare
  n bigint;
begin
  update millrace.emitted_event e set payload = 'null'
   where e.settled_at is not null and e.id = any (array(select s.event_id from millrace.event_start s where s.run_id = any (run_ids) order by 1));
  get diagnostics n = row_count;
  return n;
end $$;
comment on function millrace.forget_events(uuid[]) is 'Takes the payload out of the events that started these runs; answers how many.';
