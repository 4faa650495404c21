-- Cancels runs whose parent ended without them. It waits for no lock: a run that somebody has at hand is looked at again by the next sweep.
create or replace function millrace.carry_out_cancellations(most int, at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  asked uuid[];
  free uuid[];
  live uuid[];
  why_ended text;
begin
  asked := array(select c.run_id from cancellation c order by c.run_id limit most for update skip locked);
  if asked = '{}' then
    return;
  end if;
  with locked_waiting as materialized (
    select w.id, w.run_id from waiting_task w where w.run_id = any (asked) order by w.id + 0 for update skip locked
  ), locked as materialized (
    select t.id, t.run_id from task t where t.run_id = any (asked) order by t.id + 0 for update skip locked
  ), seen as (
    select t.run_id from task t where t.run_id = any (asked) union all select w.run_id from waiting_task w where w.run_id = any (asked)
  ), has as (
    select run_id from locked union all select run_id from locked_waiting
  )
  select array_agg(a.id) into free from unnest(asked) a(id)
   where (select count(*) from seen s where s.run_id = a.id) = (select count(*) from has h where h.run_id = a.id);
  -- Those that ended by themselves meanwhile are not asked for again.
  live := array(select r.id from run r where r.id = any (free) and r.finished_at is null order by r.id for update skip locked);
  -- As where somebody cancels such a run itself: it was told already that it is cancelled.
  perform write_event(r.id, 'run.undo_stopped', jsonb_build_object('reason', c.reason))
     from run r join cancellation c on c.run_id = r.id where r.id = any (live) and r.outcome = 'cancelled';
  for why_ended in select distinct c.reason from cancellation c where c.run_id = any (live) loop
    perform cancel_runs(array(select c.run_id from cancellation c where c.run_id = any (live) and c.reason = why_ended), why_ended, at);
  end loop;
  -- One that continued itself meanwhile goes on as another, which is asked in its place; both are seen by one statement, or neither.
  with ended as (
    delete from cancellation c using run r where c.run_id = any (asked) and r.id = c.run_id and r.finished_at is not null
    returning c.run_id, c.reason, c.asked_at
  )
  insert into cancellation (run_id, reason, asked_at)
  select (e.detail ->> 'as')::uuid, c.reason, c.asked_at
    from ended c join event e on e.run_id = any (array[c.run_id]) and e.kind = 'run.continued'
      on conflict (run_id) do nothing;
end $$;
comment on function millrace.carry_out_cancellations(int, timestamptz) is 'Cancels runs whose parent ended without them.';
