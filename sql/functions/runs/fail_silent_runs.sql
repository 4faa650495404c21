-- Fails runs reported from outside of which nothing was heard until their deadline. A sweep must not be held up by somebody's open
-- transaction, so it waits for no lock: of a run that somebody has at hand it lets go, and the next sweep looks again. What it has it
-- took in the order of all others (see lock_run_tasks), and only then asks the deadline whether the run is silent still.
create or replace function millrace.fail_silent_runs(at timestamptz) returns void
language plpgsql
as $$
#variable_conflict use_column
declare
  candidate uuid;
  has_all boolean;
  live boolean;
  silent uuid[] := array[]::uuid[];
  error jsonb := jsonb_build_object('code', 'run_silent', 'message', 'Nothing was heard of the run until its deadline.', 'retryable', false);
begin
  for candidate in select d.run_id from run_deadline d where d.deadline_at <= at order by d.deadline_at loop
    exit when cardinality(silent) >= 50;
    begin
      with locked as (
        select t.id from task t where t.run_id = candidate order by t.id for update nowait
      ), locked_waiting as (
        select w.id from waiting_task w where w.run_id = candidate order by w.id for update nowait
      )
      select (select count(*) from locked) = (select count(*) from task t where t.run_id = candidate)
         and (select count(*) from locked_waiting) = (select count(*) from waiting_task w where w.run_id = candidate)
        into has_all;
      if not has_all then
        raise lock_not_available;
      end if;
      select r.finished_at is null into live from run r where r.id = candidate for update nowait;
      perform 1 from run_deadline d where d.run_id = candidate and d.deadline_at <= at for update nowait;
      if found and live then
        silent := silent || candidate;
      end if;
    exception when lock_not_available then
      null;
    end;
  end loop;
  if silent = '{}' then
    return;
  end if;
  begin
    perform fail_runs(silent, array_fill(null::text, array[cardinality(silent)]), array_fill(null::int, array[cardinality(silent)]),
      array_fill(error, array[cardinality(silent)]), at);
    return;
  exception when others then
    if is_passing_fault(sqlstate) then
      raise;
    end if;
  end;
  -- One of them can't be failed: the others are, and that one is tried again a minute later.
  foreach candidate in array silent loop
    begin
      perform fail_runs(array[candidate], array[null::text], array[null::int], array[error], at);
    exception when others then
      if is_passing_fault(sqlstate) then
        raise;
      end if;
      perform tell_set_aside(format('Run %s, of which nothing was heard,', candidate), sqlstate, sqlerrm);
      update run_deadline d set deadline_at = at + interval '1 minute' where d.run_id = candidate;
    end;
  end loop;
end $$;
comment on function millrace.fail_silent_runs(timestamptz) is 'Fails runs of which nothing was heard until their deadline.';
