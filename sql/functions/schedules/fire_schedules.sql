-- Writes down what an evaluation of schedules came to, and starts what is to start. An evaluation holds where the schedule is still as it was read:
-- its watermark moves, so of any number of schedulers one fires a slot, and who comes second changes nothing. What somebody has at hand is left to
-- them. Where a start waits for what an open transaction holds, or meets a fault that may pass, all that was given is undone, so that each comes alone; one
-- that did is looked at again a second later, after the others, and its slots are still due. Each evaluation: {schedule, revision, from, to, next, fault, firings: [{slot, until, slots,
-- kind, reason, begins}]}; a firing with a reason starts nothing. Answers how many of them held.
create or replace function millrace.fire_schedules(evaluations jsonb) returns int
language plpgsql security definer set search_path = millrace, pg_temp
set lock_timeout = '200ms'
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  held bigint[];
begin
  perform refuse_copied_database();
  if jsonb_typeof(evaluations) is distinct from 'array' or jsonb_array_length(evaluations) > 1000 then
    perform refuse_argument('evaluations', 'a list of at most 1,000 evaluations', left(evaluations::text, 100));
  end if;
  begin
    held := array(
      select s.id from schedule s
        join jsonb_to_recordset(evaluations) e(schedule bigint, revision int, "from" timestamptz) on e.schedule = s.id
       where s.revision = e.revision and s.evaluated_at = e."from" and s.due_at is not null
       order by s.id for update of s skip locked);
    if held = '{}' then
      return 0;
    end if;
    update schedule s
       set evaluated_at = e."to", next_slot_at = e.next, fault = e.fault,
           due_at = case when e.fault is null then e.next + make_interval(secs => s.offset_ms / 1000.0) end,
           former = case when e."to" < (s.former ->> 'until')::timestamptz then s.former end,
           passed_from = case when e."to" < s.passed_until then s.passed_from end,
           passed_until = case when e."to" < s.passed_until then s.passed_until end
      from jsonb_to_recordset(evaluations) e(schedule bigint, "to" timestamptz, next timestamptz, fault jsonb)
     where s.id = any (held) and e.schedule = s.id;
    insert into firing (schedule_id, slot_at, until_slot_at, slots, kind, overlap, state, reason, due_at, begins_at, fired_at, fired_by, closed_at,
                        expect, verify_within_ms, deadline_at)
    select s.id, f.slot, case when f.slots > 1 then f.until end, f.slots, f.kind, s.overlap,
           case when f.reason is null then 'queued' when f.reason = 'not_caught_up' then 'missed' else 'skipped' end,
           f.reason, f.slot + make_interval(secs => s.offset_ms / 1000.0), f.begins, at, session_user, case when f.reason is not null then at end,
           s.expect, s.verify_within_ms, case when f.reason is null then greatest(f.slot, f.begins) + make_interval(secs => s.deadline_ms / 1000.0) end
      from jsonb_to_recordset(evaluations) e(schedule bigint, firings jsonb)
      join schedule s on s.id = e.schedule
     cross join lateral jsonb_to_recordset(e.firings) f(slot timestamptz, until timestamptz, slots int, kind text, reason text, begins timestamptz)
     where s.id = any (held)
     order by s.id, f.slot
        on conflict (schedule_id, slot_at) where slots = 1 do nothing;
    perform admit_firings(held, at);
    return cardinality(held);
  exception when others then
    if not is_tried_alone(sqlstate) or jsonb_array_length(evaluations) > 1 then
      raise;
    end if;
    if sqlstate <> '55P03' then
      perform tell_set_aside((select format('Schedule %s', s.name) from schedule s where s.id = (evaluations -> 0 ->> 'schedule')::bigint), sqlstate, sqlerrm);
    end if;
  end;
  update schedule s set due_at = at + interval '1 second'
   where s.id = any (array(
     select d.id from schedule d join jsonb_to_recordset(evaluations) e(schedule bigint) on e.schedule = d.id where d.due_at is not null for update of d skip locked));
  return 0;
end $$;
comment on function millrace.fire_schedules(jsonb) is 'Writes down what an evaluation of schedules came to, and starts what is to start; answers how many of them held.';
