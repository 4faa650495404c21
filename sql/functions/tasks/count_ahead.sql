-- How many ready tasks the workers that serve a task's handler claim before it: those of all they serve, by priority and then by age, and
-- none of paused pipelines or of those that are left for want of room under a limit. At most 10,000 are counted: who is behind so many need not know better.
create or replace function millrace.count_ahead(task_id bigint, handler int, priority smallint, at timestamptz) returns int
language plpgsql stable
as $$
declare
  paused int[] := millrace.paused_handlers();
begin
  return (
    select count(*) from (
      select from (
        select distinct other.id from millrace.worker w cross join unnest(w.handed_handlers) other(id)
         where w.kind = 'worker' and w.state <> 'gone' and w.lease_expires_at > count_ahead.at and count_ahead.handler = any (w.handlers)
           and other.id <> all (paused) and millrace.lane_limit(other.id) is null) served
        join millrace.task t on t.handler = served.id and t.worker_id is null and t.turn_key is null and (t.priority, t.id) < (count_ahead.priority, count_ahead.task_id)
       limit 10000) ahead);
end $$;
comment on function millrace.count_ahead(bigint, int, smallint, timestamptz) is 'How many ready tasks are claimed before this one, at most 10,000.';
