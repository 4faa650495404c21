-- Counts workers as gone that somebody found to be, and takes back what they held. Asked again under their rows' locks: one that was heard of
-- meanwhile is left alone. All of them together; where that fails by something that one of them held, each goes alone, and who held it is looked at again
-- a minute later.
create or replace function millrace.end_workers(worker_ids uuid[], at timestamptz) returns int
language plpgsql
as $$
#variable_conflict use_column
declare
  gone record;
  gone_ids uuid[] := array[]::uuid[];
  alone uuid;
  ended int := 0;
begin
  for gone in
    select w.id, w.lock_key
      from worker w
     where w.id = any (worker_ids)
     order by w.id limit 100
  loop
    -- Held by any transaction of the worker that is under way: then it is not gone, and the next look finds it again. Its row is left alone then: two that
    -- look at each other would wait for one another.
    continue when not pg_try_advisory_xact_lock(77420, gone.lock_key);
    perform from worker w
      where w.id = gone.id and w.state <> 'gone' and (w.lease_expires_at < at or w.heartbeat_at < at - interval '1 second') for update skip locked;
    if found then
      gone_ids := gone_ids || gone.id;
    end if;
  end loop;
  if gone_ids = '{}' then
    return 0;
  end if;
  begin
    perform bury_workers(gone_ids, at);
    return cardinality(gone_ids);
  exception when others then
    if is_passing_fault(sqlstate) then
      raise;
    end if;
  end;
  foreach alone in array gone_ids loop
    begin
      perform bury_workers(array[alone], at);
      ended := ended + 1;
    exception when others then
      if is_passing_fault(sqlstate) then
        raise;
      end if;
      perform tell_set_aside(format('What worker %s held', alone), sqlstate, sqlerrm);
      update worker w set locked = false, lease_expires_at = at + interval '1 minute' where w.id = alone;
    end;
  end loop;
  return ended;
end $$;
comment on function millrace.end_workers(uuid[], timestamptz) is 'Counts workers as gone and takes back what they held; answers how many they were.';
