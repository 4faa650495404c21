-- Of each of these locked states one who waits comes back by itself at this time, and lets the others go on then. Who has a time already keeps
-- it: it is judged anew at that time, and given another one.
create or replace function millrace.time_waiters(state_ids bigint[], until timestamptz) returns void
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_sort = off set enable_bitmapscan = off
as $$
#variable_conflict use_column
begin
  with served as materialized (
    select served_handlers(millrace.now()) as handlers
  ), first as materialized (
    select f.id from unnest(state_ids) g(id) cross join served
     cross join lateral (
       select w.id from waiting_task w
        where w.limit_state_id = g.id and not w.paused and w.handler = any (served.handlers)
        order by w.priority, w.queued_at, w.id limit 1 for update skip locked) f
     where (select true from waiting_task w where w.limit_state_id = g.id and w.available_at is not null and not w.paused limit 1) is null
  )
  update waiting_task w set available_at = time_waiters.until from first where w.id = any (array[first.id]);
end $$;
comment on function millrace.time_waiters(bigint[], timestamptz) is 'Lets one who waits for each of these limits come back by itself at a time.';
