-- Starts the runs of changes: one batch of the watch that was served the longest ago. Any worker may call it; who finds a watch locked goes to the
-- next, so changes of one watch are told by one worker at a time. One of which a batch can't be told is set aside, and the next one has its turn. Answers how many it
-- dealt with, and whether there may be more at once.
create or replace function millrace.deliver_changes(most int default 500)
returns table (done int, more boolean)
language plpgsql security definer set search_path = millrace, pg_temp
set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  candidate int;
  watched change_watch;
begin
  perform refuse_copied_database();
  if (most between 1 and 3000) is not true then
    perform refuse_argument('most', 'from 1 to 3,000', most::text);
  end if;
  done := 0;
  -- Locked one at a time: a loop over locked rows would take ten at once from the others.
  for candidate in
    select w.id from change_watch w
     where w.paused_at is null and w.retired_at is null
       -- Set aside: nothing else puts a look off for as long.
       and (w.look_at between at + interval '1 s' and at + interval '30 s') is not true
       and exists (select from change c where c.watch_id = any (array[w.id]))
     order by w.served_at nulls first, w.id
  loop
    select w.* into watched from change_watch w where w.id = candidate and w.paused_at is null and w.retired_at is null for update skip locked;
    continue when not found;
    begin
      begin
        done := deliver_watch(watched, most, at);
      exception when program_limit_exceeded or out_of_memory then
        -- Large values, too many for one batch, or even for a small one.
        begin
          done := deliver_watch(watched, least(most, 5), at);
        exception when program_limit_exceeded or out_of_memory then
          done := deliver_watch(watched, 1, at);
        end;
      end;
    exception when others then
      if left(sqlstate, 2) in ('40', '57') then
        raise;
      end if;
      perform set_watch_aside(candidate, sqlstate, sqlerrm, at);
    end;
    exit when done > 0;
  end loop;
  more := done > 0;
  return next;
end $$;
comment on function millrace.deliver_changes(int) is 'Starts the runs of a batch of changes.';
