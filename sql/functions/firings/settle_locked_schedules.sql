-- Settles schedules that the caller has locked, all at once; where a start waits for what an open transaction holds, longer than the caller's lock_timeout
-- says, or meets a fault that may pass, each alone, so that it keeps none of the others. They come in no fixed order then, so that many such schedules keep
-- nobody from a turn. Answers those that wait; with twenty of them the rest is for the next time.
create or replace function millrace.settle_locked_schedules(schedule_ids bigint[], at timestamptz) returns bigint[]
language plpgsql
as $$
declare
  alone bigint;
  waiting bigint[] := array[]::bigint[];
begin
  begin
    perform millrace.settle_schedules(schedule_ids, at);
    return waiting;
  exception when others then
    if not millrace.is_tried_alone(sqlstate) then
      raise;
    end if;
    -- All together have waited for long enough: for each alone a moment will do.
    perform set_config('lock_timeout', '50ms', true);
  end;
  foreach alone in array array(select h from unnest(schedule_ids) h order by random()) loop
    begin
      perform millrace.settle_schedules(array[alone], at);
    exception when others then
      if not millrace.is_tried_alone(sqlstate) then
        raise;
      end if;
      if sqlstate <> '55P03' then
        perform millrace.tell_set_aside((select format('What is queued of schedule %s', s.name) from millrace.schedule s where s.id = alone), sqlstate, sqlerrm);
      end if;
      waiting := waiting || alone;
      exit when cardinality(waiting) >= 20;
    end;
  end loop;
  return waiting;
end $$;
comment on function millrace.settle_locked_schedules(bigint[], timestamptz) is 'Settles schedules that are locked; answers those whose queued start waits, or meets what may pass.';
