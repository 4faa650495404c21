-- Lets begin what is queued behind runs that have ended, where their firings are still open since what is expected of them is not verified: of no such end
-- are their schedules told. Slots and backfills are two lines, as they are judged. What waits for an open transaction, or meets a fault that may pass, is
-- tried again each second. Answers the schedules that somebody has at hand: what is queued of them is left for the next call.
create or replace function millrace.begin_queued(schedule_ids bigint[], at timestamptz) returns bigint[]
language plpgsql
as $$
#variable_conflict use_column
declare
  idle bigint[];
  held bigint[];
begin
  idle := array(
    select q.schedule_id from millrace.firing q
     where q.schedule_id = any (begin_queued.schedule_ids) and q.state in ('queued', 'started')
     group by q.schedule_id, q.kind = 'backfill' having bool_or(q.state = 'queued') and not bool_or(q.state = 'started'));
  held := array(select s.id from millrace.schedule s where s.id = any (idle) order by s.id for update skip locked);
  if held <> '{}' then
    perform millrace.evaluate_soon(millrace.settle_locked_schedules(held, at), at);
  end if;
  return array(select i from unnest(idle) i where i <> all (held));
end $$;
comment on function millrace.begin_queued(bigint[], timestamptz) is 'Lets begin what is queued behind runs that have ended and are not verified yet; answers the schedules that somebody has at hand.';
