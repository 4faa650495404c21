-- Starts the runs of the next events, in the order of their times among those that have committed: an older one that commits later is found
-- later, because nothing is asked by position. One worker at a time, so that this order is kept. All of a batch go together; where their starts
-- wait for what somebody holds, or something is lacking that comes back by itself, each goes alone, and the one of which it is so is tried again later; after
-- two of a name, the others of that name as well.
create or replace function millrace.work_events(batch int default 100)
returns table (settled int, more boolean)
language plpgsql security definer set search_path = millrace, pg_temp
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  at timestamptz := millrace.now();
  due bigint[];
  names text[];
  held text[] := array[]::text[];
  done int;
  waiting int := 0;
begin
  perform refuse_copied_database();
  settled := 0;
  more := false;
  if not pg_try_advisory_xact_lock(77422, 4) then
    return next;
    return;
  end if;
  due := array(
    select e.id from emitted_event e where e.due_at <= at order by e.due_at, e.id limit greatest(1, least(work_events.batch, 1000)) for update skip locked);
  begin
    settled := start_event_runs(due, at);
    more := settled < cardinality(due);
  exception when others then
    if not is_passing_fault(sqlstate) then
      raise;
    end if;
    names := array(select e.name from unnest(due) with ordinality g(id, n) join emitted_event e on e.id = g.id order by g.n);
    for n in 1 .. cardinality(due) loop
      continue when cardinality(array_positions(held, names[n])) >= 2;
      begin
        done := start_event_runs(due[n:n], at);
        settled := settled + done;
        more := more or done = 0;
      exception when others then
        if not is_passing_fault(sqlstate) then
          raise;
        end if;
        update emitted_event e set tries = e.tries + 1, due_at = at + interval '1 second' * 2 ^ least(e.tries, 6)
         where e.id = due[n] or (names[n] = any (held) and e.name = names[n] and e.id = any (due[n:]));
        held := held || names[n];
        -- Each of them may have cost half a second: the rest is for the next turn.
        waiting := waiting + 1;
        exit when waiting >= 4;
      end;
    end loop;
  end;
  more := more or cardinality(due) >= work_events.batch;
  return next;
end $$;
comment on function millrace.work_events(int) is 'Starts the runs of the next events, in order.';
